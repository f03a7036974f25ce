// The texts that the user interface shows beside calls, storage items, events and errors.

import assert from 'node:assert/strict';

/// Pallets whose texts are this project's.
const PALLETS = ['Governance', 'ValidatorSet', 'Fleet'];
/// The user interface shows the first paragraph beside the name of a call: longer ones are cut off.
const LONGEST_SUMMARY = 200;

export async function check(report, api) {
  report.about('documentation in the metadata');
  for (const name of PALLETS) {
    const items = itemsOf(api, name);
    await report.check(
      `each of the ${items.length} calls, storage items, events and errors of ${name} says what it is`,
      () => {
        assert.ok(items.length > 0, `there is no pallet ${name}`);
        const bad = items.map(flaw).filter(Boolean);
        assert.deepEqual(bad, []);
      },
    );
  }
}

function itemsOf(api, name) {
  const { lookup } = api.registry;
  const pallet = api.runtimeMetadata.asLatest.pallets.find((pallet) => pallet.name.toString() === name);
  if (!pallet) return [];
  const variants = (kind, type) =>
    type.isNone
      ? []
      : lookup.getSiType(type.unwrap().type).def.asVariant.variants.map((item) => named(name, kind, item));
  // FRAME keeps counters beside counted maps, with a text of its own.
  const own = (item) => !item.name.toString().startsWith('CounterFor');
  const stored = pallet.storage.isNone ? [] : pallet.storage.unwrap().items.filter(own);
  const storage = stored.map((item) => named(name, 'storage', item));
  return [
    ...variants('call', pallet.calls),
    ...storage,
    ...variants('event', pallet.events),
    ...variants('error', pallet.errors),
  ];
}

function named(pallet, kind, { name, docs }) {
  return { item: `${kind} ${pallet}.${name}`, docs: docs.map((line) => line.toString().trim()) };
}

/// What is wrong with the text of an item: the first paragraph is what people read.
function flaw({ item, docs }) {
  const end = docs.indexOf('');
  const summary = docs.slice(0, end < 0 ? docs.length : end).join(' ');
  if (summary === '') return `${item} has no text`;
  if (summary.length > LONGEST_SUMMARY) return `${item}: the first paragraph has ${summary.length} characters`;
  if (!/[.:]$/.test(summary)) return `${item}: '${summary}' is no sentence`;
  return undefined;
}
