import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLineFramer } from './line-framer.ts';

/** The lines of a text that comes in these pieces. */
function framed(pieces: readonly Buffer[], limitBytes = 1_000): { lines: string[]; overflows: number } {
  const lines: string[] = [];
  let overflows = 0;
  const feed = createLineFramer({
    limitBytes,
    onLine: (line) => lines.push(line.toString()),
    onOverflow: () => {
      overflows += 1;
    },
  });
  for (const piece of pieces) feed(piece);
  return { lines, overflows };
}

/** Every way to cut is as good as another: at the ends of a chunk, inside a line break, inside a character. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((one) => one % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index]));
}

test('line framer - gives the same lines however the bytes are cut', () => {
  const text = fc.array(fc.string({ unit: 'binary' }).map((line) => line.replaceAll(/[\r\n]/g, '')));
  fc.assert(
    fc.property(text, fc.constantFrom('\n', '\r\n'), fc.array(fc.nat()), (lines, end, cuts) => {
      const bytes = Buffer.from(lines.map((line) => line + end).join(''));
      const wanted = lines.map((line) => Buffer.from(line).toString());
      assert.deepEqual(framed(cut(bytes, cuts), 10_000).lines, wanted);
    }),
  );
});

test('line framer - passes on empty lines, and nothing before a line has ended', () => {
  assert.deepEqual(framed([Buffer.from('a\n\nb')]).lines, ['a', '']);
});

test('line framer - a line beyond the limit is told once, and nothing comes after it', () => {
  const pieces = ['ok\n', '1234', '5678', '9\n', 'later\n'].map((piece) => Buffer.from(piece));
  assert.deepEqual(framed(pieces, 8), { lines: ['ok'], overflows: 1 });
  assert.deepEqual(framed([Buffer.from('12345678\n123456789\n')], 8), { lines: ['12345678'], overflows: 1 });
});
