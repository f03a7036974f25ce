// Motions of the council and of the technical committee, from proposal to closing, with the values that the user interface
// fills in.

import assert from 'node:assert/strict';

import { describe, event, submit } from './chain.mjs';
import { closingWeight, votingStatus } from './screens.mjs';

/// Proposes, votes on and closes motions, all at the same time.
///
/// A motion: `collective` ("council" unless it says otherwise), `proposer`, `threshold`, `call`, `ayes` and `nays`. Answers
/// for each how it went: the `executed` result of the call ("ok", an error's name, or undefined when it was disapproved), the
/// events of closing it, and what the user interface showed in between.
export async function decide(api, motions) {
  const open = await propose(api, motions);
  await vote(api, open);
  const shown = await Promise.all(open.map((motion) => show(api, motion)));
  const closed = await submit(api, await Promise.all(open.map((motion, at) => closing(api, motion, shown[at]))));
  return open.map((motion, at) => ({ ...shown[at], ...outcome(api, motion, closed[at]) }));
}

const collectiveOf = ({ collective }) => collective ?? 'council';

async function propose(api, motions) {
  // The user interface gives the length of the transaction, which is longer than the call: a bound from above.
  const proposal = (motion) =>
    api.tx[collectiveOf(motion)].propose(motion.threshold, motion.call, motion.call.encodedLength);
  const proposed = await submit(
    api,
    motions.map((motion) => [motion.proposer, proposal(motion)]),
  );
  return motions.map((motion, at) => {
    const [account, index, hash, threshold] = event(proposed[at], collectiveOf(motion), 'Proposed').data;
    assert.equal(account.toString(), motion.proposer.address);
    assert.equal(threshold.toNumber(), motion.threshold);
    return { ...motion, index, hash };
  });
}

async function vote(api, open) {
  const votes = open.flatMap((motion) => {
    const voting = (approve) => (voter) => [
      voter,
      api.tx[collectiveOf(motion)].vote(motion.hash, motion.index, approve),
    ];
    return [...(motion.ayes ?? []).map(voting(true)), ...(motion.nays ?? []).map(voting(false))];
  });
  await submit(api, votes);
}

/// What the page of the motion shows: the decoded call, its votes, and whether it offers Close.
async function show(api, motion) {
  const collective = collectiveOf(motion);
  const members = await api.derive[collective].members();
  const proposals = await api.derive[collective].proposals();
  const found = proposals.find(({ hash }) => hash.eq(motion.hash));
  assert.ok(found, `the page does not list motion ${motion.hash}`);
  const status = await votingStatus(api, found.votes, members.length);
  return { proposal: found.proposal, votes: found.votes, status, members: members.length };
}

async function closing(api, motion, { proposal, status }) {
  assert.ok(status.closeable, `motion ${motion.index} has its votes, and the page does not offer to close it`);
  const bounds = status.failed ? [0, 0] : [await closingWeight(api, proposal), proposal.encodedLength];
  return [motion.closer ?? motion.proposer, api.tx[collectiveOf(motion)].close(motion.hash, motion.index, ...bounds)];
}

function outcome(api, motion, closed) {
  const executed = closed.events.find(
    (happened) => happened.section === collectiveOf(motion) && happened.method === 'Executed',
  );
  return { closed, executed: executed && said(api, executed.data[1]) };
}

/// A `DispatchResult` of an event in words: "ok" or the error's name.
export function said(api, result) {
  return result.isOk ? 'ok' : describe(api, result.asErr);
}
