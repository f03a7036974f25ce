// A connection to a node, and transactions through it, as the user interface makes them.

import { ApiPromise, Keyring, WsProvider, cryptoWaitReady } from './library.mjs';

/// What own programs give the library, so that it does not ask about the chain's own extension.
export const SILENCED = { CheckAdmitted: { extrinsic: {}, payload: {} } };

/// The account that the user interface asks for weights with (apps: react-hooks/src/useWeight.ts). Nobody has its key.
export const ZERO_ACCOUNT = '0x9876543210abcdef9876543210abcdef9876543210abcdef9876543210abcdef';

/// Connects; answers the API and what the library had to say while it connected.
export async function connect(url, options = {}) {
  try {
    const provider = new WsProvider(url);
    const [api, said] = await listening(() => ApiPromise.create({ provider, throwOnConnect: true, ...options }));
    return { api, said };
  } catch (error) {
    throw new Error(`no node answers at ${url}: ${error.message}`);
  }
}

/// Does something, and keeps what the library writes to the console meanwhile.
export async function listening(body) {
  const said = [];
  const { warn, error } = console;
  // The library puts the time and its part's name first.
  console.warn = console.error = (...words) => said.push(words.slice(2).join(' '));
  try {
    return [await body(), said];
  } finally {
    Object.assign(console, { warn, error });
  }
}

/// The development accounts, by name, and one that the chain never saw.
export async function accounts() {
  await cryptoWaitReady();
  const keyring = new Keyring({ type: 'sr25519' });
  const names = ['Alice', 'Bob', 'Charlie', 'Dave', 'Eve', 'Ferdie', 'Stranger'];
  return Object.fromEntries(names.map((name) => [name.toLowerCase(), keyring.addFromUri(`//${name}`)]));
}

/// Submits transactions, each signer's in the order given, and waits until all are finalized.
///
/// Answers for each the block that it is in and its events. Throws when one is refused or fails.
export async function submit(api, transactions) {
  const nonces = new Map();
  const sent = [];
  for (const [signer, transaction] of transactions) {
    const nonce = nonces.get(signer.address) ?? (await api.rpc.system.accountNextIndex(signer.address)).toNumber();
    nonces.set(signer.address, nonce + 1);
    sent.push(send(api, signer, transaction, nonce));
  }
  return Promise.all(sent);
}

/// Submits one transaction.
export async function submitOne(api, signer, transaction) {
  const [included] = await submit(api, [[signer, transaction]]);
  return included;
}

function send(api, signer, transaction, nonce) {
  const { section, method } = transaction.method;
  return new Promise((resolve, reject) => {
    const follow = ({ status, events, dispatchError }) => {
      if (dispatchError && status.isFinalized) {
        reject(new Failed(`${section}.${method}`, describe(api, dispatchError)));
      } else if (status.isFinalized) {
        resolve({ block: status.asFinalized, events: events.map(({ event }) => event) });
      } else if (status.isDropped || status.isInvalid || status.isUsurped || status.isFinalityTimeout) {
        reject(new Error(`${section}.${method} ended as ${status.type}`));
      }
    };
    transaction.signAndSend(signer, { nonce }, follow).catch(reject);
  });
}

/// A transaction that is in a block and failed there.
export class Failed extends Error {
  constructor(call, why) {
    super(`${call} failed: ${why}`);
    this.why = why;
  }
}

/// A dispatch error as the user interface names it: `BadOrigin`, or `pallet.Error`.
export function describe(api, error) {
  if (error.isModule) {
    const { section, name } = api.registry.findMetaError(error.asModule);
    return `${section}.${name}`;
  }
  return error.isOther ? `Other: ${error.asOther}` : error.type;
}

/// All events of a block.
export async function eventsOf(api, block) {
  const records = await (await api.at(block)).query.system.events();
  return records.map(({ event }) => event);
}

/// The first event of that name.
export function event(included, section, method) {
  const found = included.events.find((event) => event.section === section && event.method === method);
  if (!found) {
    const names = included.events.map((event) => `${event.section}.${event.method}`);
    throw new Error(`there is no event ${section}.${method}, only ${names.join(', ')}`);
  }
  return found;
}

/// Waits until a condition holds, looking every half second.
export async function eventually(what, seconds, look) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    if (await look()) return;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((wake) => setTimeout(wake, 500));
  }
}
