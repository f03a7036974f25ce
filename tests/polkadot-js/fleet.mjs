// The runtime API of organisations, devices and groups, as Developer, Runtime calls shows it.

import assert from 'node:assert/strict';

import { u8aToHex } from './library.mjs';

/// Methods that answer something on every chain, and those that want the name of something.
const METHODS = [
  'authorities',
  'changes',
  'conflicts',
  'custody',
  'device',
  'devices',
  'devicesOf',
  'gateway',
  'gateways',
  'group',
  'groups',
  'invitations',
  'members',
  'permissions',
];

export async function check(report, api) {
  report.about('FleetApi');
  const ask = api.call.fleetApi;
  await report.check('it has the methods that own programs ask', () => {
    assert.deepEqual(
      METHODS.filter((name) => typeof ask[name] !== 'function'),
      [],
    );
  });
  await report.check('gateways, and what each of them has, agree with the storage of fleet', () => gateways(api, ask));
  await report.check('authorities agree with the storage of fleet', async () => {
    const listed = (await ask.authorities()).map((authority) => authority.toHuman().authority).sort();
    const stored = (await api.query.fleet.authorities.keys()).map(({ args: [id] }) => id.toUtf8()).sort();
    assert.deepEqual(listed, stored);
  });
  await report.check('devices, one by one and in pages, agree with the storage of fleet', () => devices(api, ask));
  await report.check('groups, their members and conflicts agree with the storage of fleet', () => groups(api, ask));
}

async function gateways(api, ask) {
  const stored = new Map(
    (await api.query.fleet.gateways.entries()).map(
      ([
        {
          args: [account],
        },
        gateway,
      ]) => [u8aToHex(account.toU8a()), gateway.unwrap().toHuman()],
    ),
  );
  const listed = await ask.gateways();
  assert.equal(listed.length, stored.size);
  for (const gateway of listed) {
    const account = u8aToHex(gateway.account.toU8a());
    const { organisation, name, status } = stored.get(account);
    const shown = gateway.toHuman();
    assert.deepEqual([shown.organisation, shown.name, shown.status], [organisation, name, status]);
    assert.deepEqual((await ask.gateway(account)).toHuman(), shown);
    const permissions = (await ask.permissions(account)).toHuman();
    assert.equal(permissions.admitted, true);
    assert.equal(permissions.gatewayOf, status === 'Active' ? organisation : null);
    assert.equal((await ask.custody(account)).length, permissions.custodianOf.length);
    await ask.invitations(account);
  }
}

async function devices(api, ask) {
  const stored = (await api.query.fleet.devices.keys()).map(({ args: [id] }) => id.toUtf8());
  const listed = (await ask.devices(null, 1024)).map((device) => device.toHuman());
  assert.deepEqual(listed.map(({ device }) => device).sort(), [...stored].sort());
  for (const shown of listed) {
    const one = await ask.device(shown.device);
    assert.deepEqual(one.toHuman(), shown);
    const owned = (await ask.devicesOf(u8aToHex(one.unwrap().owner.toU8a()), null, 1024)).map(
      (device) => device.toHuman().device,
    );
    assert.equal(owned.includes(shown.device), shown.status !== 'Revoked');
  }
  if (stored.length > 1) {
    const [first] = await ask.devices(null, 1);
    const [second] = await ask.devices(first.device, 1);
    assert.notEqual(second.toHuman().device, first.toHuman().device);
  }
}

async function groups(api, ask) {
  const stored = (await api.query.fleet.groups.keys()).map(({ args: [id] }) => id.toUtf8()).sort();
  assert.deepEqual((await ask.groups(null, 1024)).map((id) => id.toHuman()).sort(), stored);
  for (const id of stored) {
    assert.equal((await ask.group(id)).unwrap().toHuman().group, id);
    const members = (await ask.members(id, null, 1024)).length;
    assert.equal(members, (await api.query.fleet.members.keys(id)).length);
    assert.equal((await ask.conflicts(id)).length, (await api.query.fleet.conflicts.keys(id)).length);
  }
}
