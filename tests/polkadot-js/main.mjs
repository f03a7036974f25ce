// Checks a running chain with the library that the polkadot.js user interface is made of, and says so as TAP.
//
//   node main.mjs govern ws://127.0.0.1:9944    everything, on a fresh chain of the preset `local`: it decides motions
//   node main.mjs inspect ws://127.0.0.1:9944   what changes nothing, on any chain whose node keeps all states
//
// KEYWARD_POLKADOT_JS: the directory that `scripts/polkadot-js` prints. KEYWARD_NEXT_WASM: a runtime to upgrade to.
// KEYWARD_EXPECTED: calls and events, "section.method" with commas between, that must have happened (inspect).

import * as council from './council.mjs';
import * as documentation from './documentation.mjs';
import * as extensions from './extensions.mjs';
import * as fleet from './fleet.mjs';
import * as history from './history.mjs';
import * as refusals from './refusals.mjs';
import * as screens from './screens.mjs';
import * as upgrade from './upgrade.mjs';
import { SILENCED, accounts, connect } from './chain.mjs';
import { Report } from './report.mjs';

/// What a chain has seen after `govern`.
const GOVERNED = [
  'council.propose',
  'council.vote',
  'council.close',
  'council.Executed',
  'council.Disapproved',
  'technicalCommittee.Executed',
  'fleet.OrganisationAdmitted',
  'fleet.GatewayAdmitted',
  'fleet.AuthorityAdmitted',
  'governance.DispatchedAsRoot',
  'membership.MemberAdded',
  'membership.MemberRemoved',
  'preimage.Noted',
  'scheduler.Scheduled',
  'system.CodeUpdated',
  'system.ExtrinsicFailed',
  'txPause.CallPaused',
  'validatorSet.OperatorApproved',
];

async function inspect(report, url, expected) {
  const silenced = await connect(url, { signedExtensions: SILENCED });
  const plain = await connect(url);
  const { api } = plain;
  await screens.check(report, api);
  await extensions.check(report, plain, silenced);
  await documentation.check(report, api);
  await fleet.check(report, api);
  await history.check(report, api, expected);
}

async function govern(report, url) {
  const who = await accounts();
  const { api } = await connect(url);
  await council.check(report, api, who);
  await refusals.check(report, api, who);
  await api.disconnect();
  await upgrade.check(report, url, who, process.env.KEYWARD_NEXT_WASM);
  await inspect(report, url, GOVERNED);
}

const [command, url] = process.argv.slice(2);
const expected = (process.env.KEYWARD_EXPECTED ?? '').split(',').filter(Boolean);
const commands = { govern, inspect: (report, url) => inspect(report, url, expected) };
if (!(command in commands) || !url) {
  console.error('usage: node main.mjs govern|inspect ws://HOST:PORT');
  process.exit(2);
}
try {
  const report = new Report();
  await commands[command](report, url);
  process.exit(report.end());
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}
