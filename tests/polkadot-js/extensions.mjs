// Transaction extensions: what every transaction carries, and that the library signs it right without knowing our own.

import assert from 'node:assert/strict';

import { listening } from './chain.mjs';
import { Keyring, blake2AsHex } from './library.mjs';

/// In the order in which they are signed. `CheckMortality` is what the library calls CheckEra.
const EXPECTED = [
  'CheckNonZeroSender',
  'CheckSpecVersion',
  'CheckTxVersion',
  'CheckGenesis',
  'CheckMortality',
  'CheckAdmitted',
  'CheckNonce',
  'CheckWeight',
  'CheckMetadataHash',
  'WeightReclaim',
];

/// What the library says about a chain like this one.
const QUESTION = 'Unknown signed extensions CheckAdmitted found, treating them as no-effect';

/// It lists the methods of newer RPC that it does not offer: no matter of this chain.
const beside = (line) => !line.startsWith('RPC methods not decorated:');

/// `plain` is connected as the user interface is, `silenced` as own programs are: an API, and what the library said.
export async function check(report, plain, silenced) {
  report.about('transaction extensions');
  await report.check('they are the ones that own programs expect, in this order', () => {
    assert.deepEqual(plain.api.registry.signedExtensions, EXPECTED);
  });
  await report.check('CheckAdmitted has no bytes, in the transaction or signed beside it', () => zeroSized(plain.api));
  await report.check('with the option signedExtensions the library has nothing to ask', () => {
    assert.deepEqual(silenced.said.filter(beside), []);
  });
  await report.check('without, it asks about CheckAdmitted and nothing else, and treats it as having no effect', () => {
    assert.deepEqual(plain.said.filter(beside), [QUESTION]);
  });
  await report.check('both ways sign the same bytes, and the node finds the signature right', async () => {
    const [one, other] = await Promise.all([signed(plain.api), signed(silenced.api)]);
    assert.equal(one, other);
    // The signer is a stranger: the signature is verified before anybody asks who it is.
    await assert.rejects(submitRaw(plain.api, one), /Custom error: 77/);
    await assert.rejects(submitRaw(plain.api, tampered(one)), /bad signature/);
  });
}

function zeroSized(api) {
  const { transactionExtensions } = api.runtimeMetadata.asLatest.extrinsic;
  const extension = transactionExtensions.find(({ identifier }) => identifier.toString() === 'CheckAdmitted');
  const { registry } = api;
  for (const type of [extension.type, extension.implicit]) {
    const empty = registry.createType(registry.createLookupType(type), new Uint8Array());
    assert.equal(empty.toU8a().length, 0, `${type} has bytes`);
  }
}

/// An Ed25519 signature over the same payload is always the same.
async function signed(api) {
  const signer = new Keyring({ type: 'ed25519' }).addFromUri('//Extensions');
  const options = { nonce: 0, era: 0, blockHash: api.genesisHash, genesisHash: api.genesisHash };
  const transaction = await api.tx.council.vote(blake2AsHex('motion'), 0, true).signAsync(signer, options);
  return transaction.toHex();
}

/// Another vote under the same signature: the last byte says aye.
function tampered(transaction) {
  assert.ok(transaction.endsWith('01'));
  return `${transaction.slice(0, -2)}00`;
}

const submitRaw = (api, transaction) => listening(() => api.rpc.author.submitExtrinsic(transaction));
