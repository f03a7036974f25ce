// Upgrading the runtime: the council authorises the hash of the code, then a member submits the code.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { SILENCED, connect, describe, event, eventsOf, eventually, listening, submitOne } from './chain.mjs';
import { blake2AsHex, u8aToHex } from './library.mjs';
import { decide } from './motions.mjs';

/// Where a chain keeps its runtime: the characters ":code".
const CODE = '0x3a636f6465';

/// Upgrades with the runtime of `next` (a file), where one is given, else with the one that the chain has already.
export async function check(report, url, who, next) {
  const { api } = await connect(url, { signedExtensions: SILENCED });
  report.about('upgrading the runtime');
  const code = await api.rpc.state.getStorage.raw(CODE);
  await theSameVersionIsRefused(report, api, who, code);
  await theSameCodeWithoutChecks(report, api, who, code);
  if (next) await theNextRuntime(report, url, api, who, u8aToHex(readFileSync(next)));
  await api.disconnect();
}

async function authorize(api, who, call) {
  const motion = {
    proposer: who.alice,
    ayes: [who.bob, who.charlie],
    threshold: 2,
    call: api.tx.governance.asRoot(call),
  };
  const [{ executed, closed }] = await decide(api, [motion]);
  assert.equal(executed, 'ok');
  return closed;
}

const apply = (api, who, code) => submitOne(api, who.alice, api.tx.system.applyAuthorizedUpgrade(code));

async function theSameVersionIsRefused(report, api, who, code) {
  await report.check(
    'system.authorizeUpgrade, then code of the same version: system.RejectedInvalidAuthorizedUpgrade says why',
    async () => {
      const hash = blake2AsHex(code);
      const closed = await authorize(api, who, api.tx.system.authorizeUpgrade(hash));
      const [authorized, checked] = event(closed, 'system', 'UpgradeAuthorized').data;
      assert.deepEqual([authorized.toHex(), checked.isTrue], [hash, true]);
      const [, error] = event(await apply(api, who, code), 'system', 'RejectedInvalidAuthorizedUpgrade').data;
      assert.equal(describe(api, error), 'system.SpecVersionNeedsToIncrease');
    },
  );
  await report.check('the authorisation is used up by that: the code is refused from then on', async () => {
    assert.ok((await api.query.system.authorizedUpgrade()).isNone);
    await assert.rejects(apply(api, who, code), { why: 'system.NothingAuthorized' });
  });
}

async function theSameCodeWithoutChecks(report, api, who, code) {
  await report.check(
    'system.authorizeUpgradeWithoutChecks, then the same code: system.CodeUpdated, and blocks go on',
    async () => {
      await authorize(api, who, api.tx.system.authorizeUpgradeWithoutChecks(blake2AsHex(code)));
      event(await apply(api, who, code), 'system', 'CodeUpdated');
      await blocksGoOn(api);
    },
  );
  await report.check('code with another hash than the authorised one is refused', async () => {
    await authorize(api, who, api.tx.system.authorizeUpgradeWithoutChecks(blake2AsHex(code)));
    await assert.rejects(apply(api, who, `${code}00`), { why: 'system.Unauthorized' });
  });
}

async function theNextRuntime(report, url, api, who, code) {
  const before = api.runtimeVersion.specVersion.toNumber();
  const version = () => api.runtimeVersion.specVersion.toNumber();
  await report.check(
    'system.authorizeUpgrade, then code of a newer version: the chain runs it, and says so',
    async () => {
      await authorize(api, who, api.tx.system.authorizeUpgrade(blake2AsHex(code)));
      const [{ block }] = await listening(async () => {
        const included = await apply(api, who, code);
        await eventually('the library to see the new version', 60, () => version() > before);
        return included;
      });
      assert.equal(await api.rpc.state.getStorage.raw(CODE), code);
      // While it takes in the new metadata the library may lose the events of this very transaction. A page that is loaded again has them.
      const { api: fresh } = await connect(url);
      event({ events: await eventsOf(fresh, block) }, 'system', 'CodeUpdated');
      await fresh.disconnect();
    },
  );
  await report.check('motions go on with the new runtime, when the page is loaded again', async () => {
    // The library fetches older metadata when the runtime changes under it: without FleetApi, and with other numbers of types.
    const { api: fresh } = await connect(url);
    assert.equal(fresh.runtimeVersion.specVersion.toNumber(), version());
    await authorize(fresh, who, fresh.tx.system.setStorage([]));
    await blocksGoOn(fresh);
    await fresh.disconnect();
  });
}

async function blocksGoOn(api) {
  const finalized = async () =>
    (await api.rpc.chain.getHeader(await api.rpc.chain.getFinalizedHead())).number.toNumber();
  const from = await finalized();
  await eventually('five more finalized blocks', 60, async () => (await finalized()) >= from + 5);
}
