import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { joinPath, locateIn, nearest, showName } from './problems.ts';

describe('nearest', () => {
  const keys = ['command', 'args', 'env', 'url', 'headers', 'timeoutMs', 'instances'];
  for (const [written, meant] of [
    ['comand', 'command'],
    ['COMMAND', 'command'],
    ['timeout_ms', 'timeoutMs'],
    ['arg', 'args'],
    ['evn', 'env'],
    ['instance', 'instances'],
    ['description', undefined],
    ['', undefined],
  ] as const) {
    test(`${JSON.stringify(written)} - is ${meant ?? 'none of them'}`, () =>
      assert.equal(nearest(written, keys), meant));
  }
});

describe('locateIn', () => {
  test('any offset - is where the lines before it end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '\n', '\r\n', 'é'), { maxLength: 30 }), fc.nat(40), (parts, offset) => {
        const text = parts.join('');
        const before = text.slice(0, offset).split('\n');
        assert.deepEqual(locateIn(text)(offset), { line: before.length, col: (before.at(-1) ?? '').length + 1 });
      }),
    );
  });
});

describe('names from outside', () => {
  test('what would steer a terminal - is taken out, and length is bounded', () => {
    assert.equal(showName('a\u001b[31m\n\u202eb'), 'a?[31m??b');
    assert.equal(showName('x'.repeat(500)).length, 81);
    assert.equal(joinPath('agents', 'a.b "c"'), 'agents."a.b ?c?"');
  });
});
