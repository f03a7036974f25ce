// What an account that may not do something gets to see: the codes of docs/governance.md.

import assert from 'node:assert/strict';

import { listening } from './chain.mjs';
import { blake2AsHex } from './library.mjs';

/// Bytes of a transaction that is too long for a gateway or a validator.
const TOO_LONG = 70_000;
/// Nonces that an account may be ahead.
const AHEAD = 64;

/// `//Dave` operates a validator and is in no council, `//Ferdie` is an active gateway.
export async function check(report, api, who) {
  report.about('refusals');
  const { batch } = api.tx.utility;
  const join = api.tx.validatorSet.join();
  const propose = api.tx.council.propose(2, join, 100);
  const remark = api.tx.system.remark('0x00');
  const long = api.tx.session.setKeys(new Uint8Array(64), `0x${'00'.repeat(TOO_LONG)}`);
  const cases = [
    ['a stranger that proposes a motion', who.stranger, propose, 77],
    ['a stranger that sends anything else', who.stranger, remark, 77],
    ['a validator that proposes a motion', who.dave, propose, 78],
    ['a gateway that proposes a motion', who.ferdie, propose, 78],
    ['a council member that sends a remark', who.alice, remark, 78],
    [
      'a council member that admits an organisation without a motion',
      who.alice,
      api.tx.membership.addMember(who.stranger.address),
      78,
    ],
    ['a batch with a call that is not allowed', who.dave, batch([join, remark]), 78],
    ['a batch in a batch', who.dave, batch([batch([join])]), 78],
    ['a transaction that is too long', who.dave, long, 80],
  ];
  for (const [what, signer, transaction, code] of cases) {
    await report.check(`${what}: "Custom error: ${code}"`, async () => refused(api, signer, transaction, code));
  }
  await report.check(`a nonce more than ${AHEAD} ahead: "Custom error: 79"`, async () => {
    const next = (await api.rpc.system.accountNextIndex(who.dave.address)).toNumber();
    await refused(api, who.dave, join, 79, { nonce: next + AHEAD + 1 });
  });
  await report.check('a bare call that wants a signer does not get into the pool', async () => {
    const bare = api.tx.council.vote(blake2AsHex('motion'), 0, true);
    await assert.rejects(
      listening(() => api.rpc.author.submitExtrinsic(bare.toHex())),
      /1010|1011/,
    );
  });
}

async function refused(api, signer, transaction, code, options = { nonce: -1 }) {
  await assert.rejects(
    listening(() => transaction.signAndSend(signer, options)),
    ({ message }) => {
      // This is all that the user interface shows, in a red box.
      assert.equal(message, `1010: Invalid Transaction: Custom error: ${code}`);
      return true;
    },
    'it was accepted',
  );
}
