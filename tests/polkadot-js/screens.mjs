// What the user interface decides from the chain's metadata. Names of files are those of polkadot-js/apps, version 0.154.

import assert from 'node:assert/strict';

import { ZERO_ACCOUNT } from './chain.mjs';

/// Pages, the menu that they are in, and the `needsApi` of their route in packages/apps-routing/src.
const SHOWN = [
  { page: 'Explorer', menu: 'Network', route: 'explorer.ts', needs: [] },
  { page: 'Event calendar', menu: 'Network', route: 'calendar.ts', needs: [] },
  { page: 'Scheduler', menu: 'Network', route: 'scheduler.ts', needs: ['query.scheduler.agenda'] },
  { page: 'Council', menu: 'Governance', route: 'council.ts', needs: ['query.council.prime'] },
  { page: 'Tech. comm.', menu: 'Governance', route: 'techcomm.ts', needs: ['query.technicalCommittee.members'] },
  { page: 'Membership', menu: 'Governance', route: 'membership.ts', needs: ['query.membership.members'] },
  {
    page: 'Preimages',
    menu: 'Governance',
    route: 'preimages.ts',
    needs: ['query.preimage.statusFor', 'tx.preimage.notePreimage'],
  },
  { page: 'Chain state', menu: 'Developer', route: 'storage.ts', needs: [] },
  { page: 'Extrinsics', menu: 'Developer', route: 'extrinsics.ts', needs: [] },
  { page: 'Runtime calls', menu: 'Developer', route: 'runtime.ts', needs: [] },
];

/// Pages for what this chain does not have.
const HIDDEN = [
  { page: 'Transfer', route: 'transfer.ts', needs: [['tx.balances.transfer', 'tx.balances.transferAllowDeath']] },
  { page: 'Staking', route: 'staking.ts', needs: ['query.staking.erasStakersOverview', 'tx.staking.bond'] },
  { page: 'Democracy', route: 'democracy.ts', needs: ['tx.democracy.propose'] },
  { page: 'Treasury', route: 'treasury.ts', needs: ['query.treasury.proposals'] },
  { page: 'Sudo', route: 'sudo.ts', needs: ['tx.sudo.setKey'] },
];

/// packages/apps/src/endpoint.ts: the API items that a page needs and the chain has not.
function missing(api, needs) {
  const has = (item) => {
    const [area, section, method] = item.split('.');
    return typeof api[area]?.[section]?.[method] === 'function';
  };
  return needs.filter((item) => ![item].flat().some(has));
}

/// The threshold that the page proposes: half of the members, rounded up (packages/page-council/src/Motions/ProposeMotion.tsx
/// and packages/apps-config/src/api/constants: `PROPOSE.default` is 1/2).
export function proposedThreshold(members) {
  return Math.min(members, Math.ceil(members * 0.5));
}

/// What a motion of the council needs here: two thirds, rounded up.
export function neededThreshold(members) {
  return Math.ceil((members * 2) / 3);
}

/// The weight that the page gives to `close` (packages/react-hooks/src/useWeight.ts).
export async function closingWeight(api, call) {
  const { weight } = await api.tx(call).paymentInfo(ZERO_ACCOUNT);
  return weight;
}

/// Whether the page offers to vote and to close (packages/react-hooks/src/useVotingStatus.ts).
export async function votingStatus(api, votes, members) {
  const best = await api.derive.chain.bestNumber();
  const ended = best.gte(votes.end);
  const passed = votes.threshold.lten(votes.ayes.length);
  const failed = votes.threshold.gtn(Math.abs(members - votes.nays.length));
  return { failed, closeable: ended || passed || failed, voteable: !ended };
}

export async function check(report, api) {
  report.about('pages of the user interface');
  for (const { page, menu, route, needs } of SHOWN) {
    await report.check(`${menu} has ${page}: ${needs.join(' and ') || 'always'} (apps-routing/src/${route})`, () => {
      assert.deepEqual(missing(api, needs), [], 'the chain does not have what the page needs');
    });
  }
  for (const { page, route, needs } of HIDDEN) {
    await report.check(`there is no page ${page}, which would show what the chain does not have (${route})`, () => {
      assert.notDeepEqual(missing(api, needs), [], 'the chain has what the page needs');
    });
  }
  await actions(report, api);
}

async function actions(report, api) {
  await report.check(
    'Close is offered: council.close takes a weight and a length, and the payment API weighs the call',
    async () => {
      assert.equal(api.tx.council.close.meta.args.length, 4);
      assert.equal(api.tx.technicalCommittee.close.meta.args.length, 4);
      assert.ok(api.call.transactionPaymentApi, 'no TransactionPaymentApi: the weight of a motion would be zero');
      const weight = await closingWeight(api, api.tx.membership.addMember(ZERO_ACCOUNT).method);
      assert.ok(weight.refTime.toBigInt() > 0n, `the weight is ${weight}`);
    },
  );
  await report.check(
    'the signing dialog reads "Fees of none": no amount, and the chain names its token "none"',
    async () => {
      const { partialFee } = await api.tx.membership.addMember(ZERO_ACCOUNT).paymentInfo(ZERO_ACCOUNT);
      assert.equal(partialFee.toString(), '0');
      assert.deepEqual(api.registry.chainTokens, ['none']);
      assert.deepEqual(api.registry.chainDecimals, [0]);
      assert.equal(api.registry.chainSS58, 42);
      assert.equal(api.consts.balances, undefined, 'with consts.balances the dialog warns of insufficient funds');
    },
  );
  await report.check('the Explorer names the author of a block', async () => {
    const head = await api.rpc.chain.getFinalizedHead();
    const { author } = await api.derive.chain.getHeader(head);
    const validators = (await api.query.session.validators()).map(String);
    assert.ok(author && validators.includes(author.toString()), `${author} is none of ${validators}`);
  });
}
