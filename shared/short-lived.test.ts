import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShortLivedMap, ShortLivedSet } from './short-lived.ts';

test('short-lived map - behaves like a Map', () => {
  const step = fc.record({ op: fc.constantFrom('set', 'delete', 'get', 'clear'), key: fc.nat(6), value: fc.string() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const model = new Map<number, string>();
      const map = new ShortLivedMap<number, string>();
      for (const { op, key, value } of steps) {
        if (op === 'set') {
          model.set(key, value);
          map.set(key, value);
        } else if (op === 'delete') assert.equal(map.delete(key), model.delete(key));
        else if (op === 'clear') {
          model.clear();
          map.clear();
        }
        assert.equal(map.get(key), model.get(key));
        assert.equal(map.has(key), model.has(key));
        assert.equal(map.size, model.size);
        assert.deepEqual([...map.keys()], [...model.keys()]);
        assert.deepEqual([...map.values()], [...model.values()]);
      }
    }),
  );
});

test('short-lived map - entries may be removed while the values are walked', () => {
  const map = new ShortLivedMap<number, string>().set(1, 'a').set(2, 'b').set(3, 'c');
  const seen: string[] = [];
  for (const value of map.values()) {
    seen.push(value);
    map.delete(2);
  }
  assert.deepEqual(seen, ['a', 'c']);
});

test('short-lived set - keeps the order of arrival, and each membership ends once', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ add: fc.boolean(), at: fc.nat(20) }), { maxLength: 60 }), (steps) => {
      const set = new ShortLivedSet<number>();
      const model: { readonly value: number; readonly remove: () => boolean }[] = [];
      let made = 0;
      for (const { add, at } of steps) {
        if (add || model.length === 0) {
          made += 1;
          model.push({ value: made, ...set.add(made) });
        } else {
          const [gone] = model.splice(at % model.length, 1);
          assert.equal(gone?.remove(), true);
          assert.equal(gone?.remove(), false);
        }
        assert.deepEqual(
          set.values(),
          model.map(({ value }) => value),
        );
        assert.equal(set.size, model.length);
        assert.equal(set.oldest, model[0]?.value);
      }
    }),
  );
});
