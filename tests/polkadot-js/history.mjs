// Every block since genesis: extrinsics and events are decoded, and encode to the same bytes again.

import assert from 'node:assert/strict';

/// Blocks that are fetched at the same time.
const AT_ONCE = 16;

/// `seen`: calls and events, "section.method", that must occur: a chain on which nothing happened proves nothing.
export async function check(report, api, seen = []) {
  report.about('the whole chain');
  const found = new Map();
  const blocks = await report.check(
    'every extrinsic and every event of every block decodes, and encodes to the same bytes',
    async () => {
      const head = await api.rpc.chain.getFinalizedHead();
      const last = (await api.rpc.chain.getHeader(head)).number.toNumber();
      for (let first = 0; first <= last; first += AT_ONCE) {
        const numbers = Array.from({ length: Math.min(AT_ONCE, last + 1 - first) }, (_, offset) => first + offset);
        await Promise.all(numbers.map((number) => block(api, number, found)));
      }
      return last;
    },
  );
  const names = [...found.keys()].sort();
  report.note(`${blocks} blocks; ${names.map((name) => `${name} ${found.get(name)}`).join(', ')}`);
  await report.check(`the chain was busy: it has ${seen.length} kinds of calls and events that were waited for`, () => {
    assert.deepEqual(
      seen.filter((name) => !found.has(name)),
      [],
    );
  });
}

async function block(api, number, found) {
  const hash = await api.rpc.chain.getBlockHash(number);
  const at = await api.at(hash);
  await extrinsics(api, at, hash, number, found);
  await events(api, at, hash, number, found);
}

async function extrinsics(api, at, hash, number, found) {
  const raw = await api.rpc.chain.getBlock.raw(hash);
  for (const bytes of raw.block.extrinsics) {
    const extrinsic = at.registry.createType('Extrinsic', bytes);
    assert.equal(extrinsic.toHex(), bytes, `an extrinsic of block ${number} encodes to other bytes`);
    count(found, `${extrinsic.method.section}.${extrinsic.method.method}`);
    assert.ok(extrinsic.method.toHuman().args, `block ${number}: the arguments cannot be shown`);
  }
}

async function events(api, at, hash, number, found) {
  const raw = await api.rpc.state.getStorage.raw(at.query.system.events.key(), hash);
  if (raw === null) return assert.equal(number, 0, `block ${number} has no events`);
  const events = at.registry.createType('Vec<FrameSystemEventRecord>', raw);
  assert.equal(events.toHex(), raw, `the events of block ${number} encode to other bytes`);
  for (const { event } of events) {
    count(found, `${event.section}.${event.method}`);
    assert.ok(event.toHuman().section, `block ${number}: an event cannot be shown`);
  }
}

function count(found, name) {
  found.set(name, (found.get(name) ?? 0) + 1);
}
