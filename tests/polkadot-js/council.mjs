// Governing: what the operator's guide (docs/governance.md) says, done step by step, by a council of three and then of four.

import assert from 'node:assert/strict';

import { event, submitOne } from './chain.mjs';
import { u8aToHex } from './library.mjs';
import { decide, said } from './motions.mjs';
import { neededThreshold, proposedThreshold } from './screens.mjs';

const QUOTAS = { devices: 100, groups: 20, members: 500 };

/// Public keys of a gateway and of an authority: those of the examples in RFC 8032 and RFC 7748.
const STATEMENT_KEY = '0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const CUSTODY_KEY = '0x8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a';
const AUTHORITY_KEY = '0x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c';

/// `//Alice`, `//Bob` and `//Charlie` are the council and the technical committee; `//Dave` joins the council.
export async function check(report, api, who) {
  await thresholds(report);
  await aCouncilOfThree(report, api, who);
  await whatItDecided(report, api, who);
  await aCouncilOfFour(report, api, who);
  await aMemberLeaves(report, api, who);
}

async function thresholds(report) {
  await report.check('the page proposes too few votes for every council but those of 1, 2 and 3 members', () => {
    const table = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((members) => [
      proposedThreshold(members),
      neededThreshold(members),
    ]);
    assert.deepEqual(
      table.map(([proposed]) => proposed),
      [1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
    );
    assert.deepEqual(
      table.map(([, needed]) => needed),
      [1, 2, 2, 3, 4, 4, 5, 6, 6, 7],
    );
  });
}

function organisation(api, id) {
  return api.tx.fleet.admitOrganisation(id, `Organisation ${id}`, QUOTAS, false);
}

/// An organisation, its gateway and its authority, all or none.
function admission(api, who) {
  return api.tx.utility.batchAll([
    organisation(api, 'road'),
    api.tx.fleet.admitGateway(who.ferdie.address, 'road', 'road.gw1', STATEMENT_KEY, CUSTODY_KEY),
    api.tx.fleet.admitAuthority('road.ca', 'road', AUTHORITY_KEY),
  ]);
}

/// Far enough away that the page still lists it at the end.
const LATER = 1_000_000;

async function aCouncilOfThree(report, api, who) {
  const { fleet, governance, membership, scheduler, txPause, validatorSet } = api.tx;
  const motion = (call, rest = {}) => ({
    proposer: who.alice,
    ayes: [who.bob, who.charlie],
    threshold: neededThreshold(3),
    call,
    ...rest,
  });
  const later = scheduler.schedule(LATER, null, 0, fleet.suspendGateway(who.ferdie.address));
  const committee = { collective: 'technicalCommittee' };
  await decideAll(report, api, 'a council of three, 2 of 3 votes', [
    ['utility.batchAll admits an organisation, its gateway and its authority', 'ok', motion(admission(api, who))],
    ['validatorSet.approve approves a validator', 'ok', motion(validatorSet.approve(who.eve.address))],
    ['governance.asRoot schedules a call', 'ok', motion(governance.asRoot(later))],
    [
      'technicalCommittee: txPause.pause pauses a call',
      'ok',
      motion(txPause.pause(['Fleet', 'create_group']), committee),
    ],
    ['membership.addMember adds a fourth council member', 'ok', motion(membership.addMember(who.dave.address))],
    // Closed after the motion before it, in the order of the nonces of the account that closes both.
    ['a motion with 2 votes, closed when the council has four members', 'BadOrigin', motion(organisation(api, 'late'))],
  ]);
}

/// Decides motions together. Each comes with its name, and with how its call ends.
async function decideAll(report, api, title, cases) {
  report.about(title);
  const motions = cases.map(([, , motion]) => motion);
  const outcomes = await report.check(
    `${cases.length} motions are proposed, voted on, listed with decoded calls, and closed`,
    async () => {
      const outcomes = await decide(api, motions);
      const name = ({ section, method }) => `${section}.${method}`;
      assert.deepEqual(
        outcomes.map(({ proposal }) => name(proposal)),
        motions.map(({ call }) => name(call.method)),
      );
      return outcomes;
    },
  );
  for (const [at, [name, expected]] of cases.entries()) {
    const words =
      expected === undefined ? 'there is no Executed, since it is disapproved' : `Executed says ${expected}`;
    await report.check(`${name}: ${words}`, () => {
      assert.ok(outcomes, 'the motions did not get that far');
      assert.equal(outcomes[at].executed, expected);
    });
  }
  return outcomes;
}

async function whatItDecided(report, api, who) {
  report.about('what these motions did');
  await report.check('the new member is in Membership and in the Council, and may submit transactions', async () => {
    const address = who.dave.address;
    assert.ok((await api.query.membership.members()).map(String).includes(address));
    assert.ok((await api.derive.council.members()).map(String).includes(address));
    assert.ok((await api.query.system.account(address)).providers.toNumber() > 0);
  });
  await report.check('organisation, gateway and authority are in the storage of fleet, and read as text', async () => {
    const { label } = (await api.query.fleet.organisations('road')).unwrap();
    assert.equal(label.toUtf8(), 'Organisation road');
    const gateway = (await api.query.fleet.gateways(who.ferdie.address)).unwrap().toHuman();
    assert.deepEqual([gateway.organisation, gateway.name, gateway.status], ['road', 'road.gw1', 'Active']);
    assert.ok((await api.query.fleet.authorities('road.ca')).isSome);
  });
  await report.check('the approved operator is listed, and is told what is missing when it joins', async () => {
    assert.ok((await api.query.validatorSet.operators(who.eve.address)).isSome);
    await assert.rejects(submitOne(api, who.eve, api.tx.validatorSet.join()), { why: 'validatorSet.NoSessionKeys' });
  });
  await report.check('the Scheduler page shows the scheduled call decoded', async () => {
    const [slot] = (await api.query.scheduler.agenda(LATER)).filter((entry) => entry.isSome);
    const call = api.registry.createType('Call', slot.unwrap().call.asInline.toHex());
    assert.equal(`${call.section}.${call.method}`, 'fleet.suspendGateway');
  });
  await report.check('the Preimages page lists a preimage that a council member notes', preimage(api, who));
  await report.check('the call that the technical committee paused is listed', async () => {
    const paused = (await api.query.txPause.pausedCalls.keys()).map(
      ({ args: [[pallet, call]] }) => `${pallet.toUtf8()}.${call.toUtf8()}`,
    );
    assert.deepEqual(paused, ['Fleet.create_group']);
  });
}

const preimage = (api, who) => async () => {
  const { method } = api.tx.membership.addMember(who.stranger.address);
  const noted = await submitOne(api, who.alice, api.tx.preimage.notePreimage(method.toHex()));
  const [hash] = event(noted, 'preimage', 'Noted').data;
  const keys = await api.query.preimage.requestStatusFor.keys();
  assert.ok(
    keys.some(({ args: [listed] }) => listed.eq(hash)),
    'no such hash in preimage.requestStatusFor',
  );
  const bytes = (await api.query.preimage.preimageFor([hash, method.encodedLength])).unwrap();
  assert.equal(u8aToHex(bytes.toU8a(true)), method.toHex());
};

async function aCouncilOfFour(report, api, who) {
  const { governance, membership, system, txPause } = api.tx;
  const four = [who.alice, who.bob, who.charlie, who.dave];
  const [half, needed] = [proposedThreshold(four.length), neededThreshold(four.length)];
  const motion = (call, votes, rest = {}) => ({
    proposer: who.alice,
    closer: who.bob,
    ayes: four.slice(0, votes),
    threshold: votes,
    call,
    ...rest,
  });
  const committee = { collective: 'technicalCommittee' };
  const against = { ayes: [], nays: four.slice(half) };
  const outcomes = await decideAll(report, api, 'a council of four', [
    [`closed at ${half} of 4 votes, as the page proposes`, 'BadOrigin', motion(organisation(api, 'half'), half)],
    [`closed at ${needed} of 4 votes, as the guide says`, 'ok', motion(organisation(api, 'enough'), needed)],
    [
      `proposed for ${half} votes, closed with ${needed}`,
      'ok',
      motion(organisation(api, 'more'), needed, { threshold: half }),
    ],
    [
      'governance.asRoot of a call that wants a signer',
      'BadOrigin',
      motion(governance.asRoot(system.remarkWithEvent('0x00')), needed),
    ],
    [
      'governance.asRoot of a call that fails',
      'membership.AlreadyMember',
      motion(governance.asRoot(membership.addMember(who.alice.address)), needed),
    ],
    ['a motion with 2 of 4 votes against it', undefined, motion(organisation(api, 'refused'), needed, against)],
    ['technicalCommittee: txPause.unpause', 'ok', motion(txPause.unpause(['Fleet', 'create_group']), 2, committee)],
    [
      'technicalCommittee: txPause.pause of what takes access away',
      'txPause.Unpausable',
      motion(txPause.pause(['Fleet', 'remove_members']), 2, committee),
    ],
    ['technicalCommittee: what only the council may', 'BadOrigin', motion(organisation(api, 'beyond'), 2, committee)],
  ]);
  await whatThePageShows(report, api, who, outcomes ?? []);
}

async function whatThePageShows(report, api, who, outcomes) {
  await report.check('a motion that fails is approved all the same: only council.Executed tells', () => {
    const closed = outcomes[0].closed.events.map(({ section, method }) => `${section}.${method}`);
    assert.deepEqual(
      closed.filter((name) => name.startsWith('council.')),
      ['council.Closed', 'council.Approved', 'council.Executed'],
    );
    assert.ok(closed.includes('system.ExtrinsicSuccess'), 'the transaction that closed it succeeded');
  });
  await report.check('only what two thirds voted for is there', async () => {
    const there = (await api.query.fleet.organisations.keys()).map(({ args: [id] }) => id.toUtf8()).sort();
    assert.deepEqual(there, ['enough', 'more', 'road']);
  });
  await report.check('with a threshold of 1 the call is executed at once, with one vote: BadOrigin', async () => {
    const call = organisation(api, 'alone');
    const proposed = await submitOne(api, who.alice, api.tx.council.propose(1, call, call.encodedLength));
    assert.equal(said(api, event(proposed, 'council', 'Executed').data[1]), 'BadOrigin');
  });
}

async function aMemberLeaves(report, api, who) {
  const call = api.tx.membership.removeMember(who.dave.address);
  const ayes = [who.alice, who.bob, who.charlie];
  await decideAll(report, api, 'a member leaves', [
    [
      'membership.removeMember removes a council member',
      'ok',
      { proposer: who.dave, closer: who.alice, ayes, threshold: 3, call },
    ],
  ]);
  await report.check('the council has three members again', async () => {
    assert.equal((await api.derive.council.members()).length, 3);
  });
}
