// The library, from where `scripts/polkadot-js` installed it: KEYWARD_POLKADOT_JS is the directory that has node_modules.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const directory = process.env.KEYWARD_POLKADOT_JS ?? fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(`${directory}/package.json`);

function load(name) {
  try {
    return require(name);
  } catch (error) {
    throw new Error(
      `${name} is not installed in ${directory}: run 'scripts/polkadot-js' and set KEYWARD_POLKADOT_JS to the directory that it prints`,
      { cause: error },
    );
  }
}

export const { ApiPromise, Keyring, WsProvider } = load('@polkadot/api');
export const { cryptoWaitReady, blake2AsHex } = load('@polkadot/util-crypto');
export const { u8aToHex } = load('@polkadot/util');
