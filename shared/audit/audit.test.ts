import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifies } from '../../test/requirements.ts';
import { link, noRecords } from './chain.ts';
import { headOf, noCheckpoints, readCheckpoint, signCheckpoint } from './checkpoint.ts';
import { createExportWriter } from './export-format.ts';
import { auditKeys } from './keys.ts';
import { decodePack, encodePack } from './pack.ts';
import { hmacLeaf, type RecordRule, recordValue, redact, secretNames } from './redact.ts';
import { type Verdict, type VerifyOptions, verifyRecords } from './verify.ts';
import { verifyExport } from './verify-export.ts';

const keys = auditKeys('a secret of the cluster');
const time = '2026-11-22T00:00:00.000Z';

/** Lines of a writer, and a checkpoint over the first `covered` of them. */
function chainOf(writer: string, count: number): string[] {
  const entries = Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      v: 1,
      kind: 'event',
      id: `${writer}-${index + 1}`,
      time,
      event: 'kill_switch',
      detail: { index },
    }),
  );
  return [...link(entries, writer, noRecords).lines];
}

function checkpointsOf(
  ...facts: { writer: string; lines: readonly string[]; seq: number; closed?: boolean }[]
): string[] {
  let after = noCheckpoints;
  return facts.map(({ writer, lines, seq, closed = false }) => {
    const head = link(
      lines.slice(0, seq).map((line) => line.replace(/,"writer".*$/, '}')),
      writer,
      noRecords,
    ).head;
    const line = signCheckpoint({ writer, head, closed, time }, after, keys);
    const checkpoint = readCheckpoint(line);
    assert.ok(checkpoint);
    after = headOf(checkpoint, line);
    return line;
  });
}

const a = chainOf('WRITERA', 12);
const b = chainOf('WRITERB', 6);
const mixed = [...a.slice(0, 5), ...b.slice(0, 3), ...a.slice(5), ...b.slice(3)];
const checkpoints = checkpointsOf(
  { writer: 'WRITERA', lines: a, seq: 4 },
  { writer: 'WRITERB', lines: b, seq: 6, closed: true },
  { writer: 'WRITERA', lines: a, seq: 10 },
);

async function verdictOf(lines: readonly string[], options: Partial<VerifyOptions> = {}): Promise<Verdict> {
  return verifyRecords(lines, { checkpoints, trustedKeys: [keys.publicKey], ...options });
}

const firstOf = (verdict: Verdict) => {
  const [finding] = verdict.findings;
  assert.ok(finding, 'nothing was found');
  return { what: finding.what, writer: finding.writer, seq: finding.seq };
};

test('audit chain - what was written verifies, and what no checkpoint covers is counted', async () => {
  const verdict = await verdictOf(mixed);
  assert.deepEqual(verdict.findings, []);
  assert.equal(verdict.ok, true);
  assert.deepEqual([verdict.records, verdict.writers, verdict.checkpoints, verdict.uncovered], [18, 2, 3, 2]);
  assert.deepEqual(verdict.keys, [keys.publicKey]);
});

test('audit chain - an edited, dropped, swapped or cut off record is found and named', async () => {
  verifies('audit:tamper-evident');
  const edited = mixed.map((line) => line.replace('"id":"WRITERA-3"', '"id":"WRITERA-x"'));
  assert.deepEqual(firstOf(await verdictOf(edited)), { what: 'edited', writer: 'WRITERA', seq: 3 });

  const dropped = mixed.filter((line) => !line.includes('"WRITERB-2"'));
  assert.deepEqual(firstOf(await verdictOf(dropped)), { what: 'dropped', writer: 'WRITERB', seq: 2 });

  const swapped = [...mixed];
  [swapped[1], swapped[2]] = [swapped[2] ?? '', swapped[1] ?? ''];
  const found = (await verdictOf(swapped)).findings.map(({ what, seq }) => `${what} ${seq}`);
  assert.deepEqual(found.slice(0, 2), ['dropped 2', 'swapped 2']);

  const cut = mixed.filter((line) => !/"WRITERA-(9|1\d)"/.test(line));
  assert.deepEqual(firstOf(await verdictOf(cut)), { what: 'cut_off', writer: 'WRITERA', seq: 9 });

  const headless = mixed.filter((line) => !line.includes('"WRITERA-1"'));
  assert.deepEqual(firstOf(await verdictOf(headless)), { what: 'dropped', writer: 'WRITERA', seq: 1 });

  assert.equal(firstOf(await verdictOf([])).what, 'missing_stream');
  const withoutB = mixed.filter((line) => !line.includes('WRITERB'));
  assert.deepEqual(firstOf(await verdictOf(withoutB)), { what: 'cut_off', writer: 'WRITERB', seq: 1 });

  const more = [
    ...mixed,
    link(['{"v":1,"kind":"event","id":"x","time":"t"}'], 'WRITERB', { seq: 6, hash: '' }).lines[0] ?? '',
  ];
  assert.ok((await verdictOf(more)).findings.some(({ what }) => what === 'added'));
});

test('audit chain - a single changed byte anywhere in a record is found', async () => {
  const [victim = ''] = a.slice(6, 7);
  for (let at = 0; at < victim.length; at += 7) {
    const broken = `${victim.slice(0, at)}${victim[at] === 'x' ? 'y' : 'x'}${victim.slice(at + 1)}`;
    const lines = mixed.map((line) => (line === victim ? broken : line));
    assert.equal((await verdictOf(lines)).ok, false, `byte ${at}`);
  }
});

test('audit chain - who rewrites the whole chain without the key is found by the checkpoints', async () => {
  const entries = a.map((line) => line.replace(/,"writer".*$/, '}').replace('"WRITERA-2"', '"WRITERA-z"'));
  const forged = [...link(entries, 'WRITERA', noRecords).lines, ...b];
  assert.deepEqual(firstOf(await verdictOf(forged)), { what: 'edited', writer: 'WRITERA', seq: 4 });
});

test('audit checkpoints - forged, dropped and foreign ones are found', async () => {
  const [one = '', two = '', three = ''] = checkpoints;
  const found = async (lines: string[]) => (await verdictOf(mixed, { checkpoints: lines })).findings[0]?.what;
  assert.equal(await found([one, two.replace('"seq":6', '"seq":5'), three]), 'bad_signature');
  assert.equal(await found([one, three]), 'checkpoint_dropped');
  assert.equal(await found([two, three]), 'checkpoint_dropped');
  assert.equal(await found([one, 'nonsense', three]), 'checkpoint_edited');
  const stranger = auditKeys('another secret').publicKey;
  assert.equal((await verdictOf(mixed, { trustedKeys: [stranger] })).findings[0]?.what, 'unknown_key');
});

test('audit chain - a stream that forgets by age may begin late, but not have holes', async () => {
  const late = mixed.filter((line) => !/"WRITERA-[1-5]"/.test(line));
  assert.equal((await verdictOf(late)).ok, false);
  assert.equal((await verdictOf(late, { beginsLate: true })).ok, true);
  const hole = late.filter((line) => !line.includes('"WRITERA-8"'));
  assert.deepEqual(firstOf(await verdictOf(hole, { beginsLate: true })), {
    what: 'dropped',
    writer: 'WRITERA',
    seq: 8,
  });
});

test('audit export - verifies as written, and shows every kind of damage', async () => {
  const writer = createExportWriter();
  const file = [
    writer.header({ tenant: 'default', time }),
    ...checkpoints.map((line) => writer.checkpoint(line)),
    ...mixed.map((line) => writer.record(line)),
  ];
  file.push(writer.end());
  const verify = async (lines: readonly string[]) => {
    async function* each() {
      yield* lines;
    }
    return verifyExport(each(), { trustedKeys: [keys.publicKey] });
  };
  assert.deepEqual((await verify(file)).findings, []);
  for (let at = 0; at < file.length; at += 1) {
    assert.equal((await verify(file.toSpliced(at, 1))).ok, false, `without line ${at + 1}`);
    assert.equal((await verify(file.slice(0, at))).ok, false, `cut off after line ${at}`);
    const [line = ''] = file.slice(at, at + 1);
    const edited = file.with(
      at,
      line.replace(/\d(?=[^\d]*$)/, (digit) => String((Number(digit) + 1) % 10)),
    );
    assert.equal((await verify(edited)).ok, false, `line ${at + 1} edited`);
    if (at + 1 < file.length) {
      const swapped = file.with(at, file[at + 1] ?? '').with(at + 1, line);
      assert.equal((await verify(swapped)).ok, false, `lines ${at + 1} and ${at + 2} swapped`);
    }
  }
  assert.equal((await verify([...file, mixed[0] ?? ''])).ok, false, 'a line behind the end');
});

test('audit pack - comes back as it was, and what is none is not taken for one', () => {
  const header = { v: 1, writer: 'W', seq: 1, count: 2, prev: 'p', hash: 'h' } as const;
  const pack = decodePack(Buffer.from(encodePack(header, ['{"a":"ü"}', '{"b":2}'])));
  assert.deepEqual(pack, { header, lines: ['{"a":"ü"}', '{"b":2}'] });
  for (const text of ['', 'x', '{}', '{"v":2}\n', `${JSON.stringify({ ...header, seq: 0 })}\n{}`]) {
    assert.equal(decodePack(Buffer.from(text)), undefined, text);
  }
});

const rule = (parts: Partial<RecordRule> = {}): RecordRule => ({
  mode: 'plain',
  isSecret: secretNames(['*password*', '*token*', '*secret*']),
  inlineBytes: 65_536,
  hmacKey: keys.hmac,
  ...parts,
});

test('audit arguments - names that match a pattern are redacted at any depth, whatever their case', () => {
  verifies('audit:redaction');
  const value = {
    user: 'ann',
    PassWord: 'p1',
    list: [{ apiTokenValue: 'p2', ok: 1 }],
    'a/b~c': { client_secret: { deep: 'p3' } },
    passenger: 'stays',
  };
  const recorded = recordValue(value, rule());
  assert.equal(recorded.mode, 'plain');
  const text = JSON.stringify(recorded);
  assert.doesNotMatch(text, /p1|p2|p3/);
  assert.match(text, /ann|stays/);
  assert.deepEqual('redacted' in recorded ? recorded.redacted : [], [
    '/PassWord',
    '/list/0/apiTokenValue',
    '/a~1b~0c/client_secret',
  ]);
  assert.equal(recorded.bytes, Buffer.byteLength(JSON.stringify(value)));
  const proto = JSON.parse('{"__proto__":{"password":"p4"},"x":1}');
  assert.equal(JSON.stringify(redact(proto, rule().isSecret, [])), '{"__proto__":{"password":"[redacted]"},"x":1}');
});

test('audit arguments - hmac keeps nothing readable and lets an auditor test a guess', () => {
  verifies('audit:hmac');
  const recorded = recordValue({ to: 'ann@example.com', copies: 2, password: 'p' }, rule({ mode: 'hmac' }));
  const text = JSON.stringify(recorded);
  assert.doesNotMatch(text, /ann@|example/);
  assert.ok(text.includes(hmacLeaf(keys.hmac, 'ann@example.com')));
  assert.ok(text.includes(hmacLeaf(keys.hmac, 2)));
  assert.ok(!text.includes(hmacLeaf(auditKeys('another').hmac, 'ann@example.com')));
  assert.ok(text.includes('[redacted]'));
  const many = recordValue(
    Array.from({ length: 20_000 }, (_, n) => n % 10),
    rule({ mode: 'hmac' }),
  );
  assert.ok(JSON.stringify(many).length < 200, 'many small leaves are one HMAC');
});

test('audit arguments - large ones are a digest, and none keeps the size alone', () => {
  const large = { text: 'x'.repeat(70_000) };
  const recorded = recordValue(large, rule());
  assert.equal(recorded.mode, 'digest');
  assert.equal(recorded.bytes, JSON.stringify(large).length);
  assert.deepEqual(recordValue({ a: 1 }, rule({ mode: 'none' })), { mode: 'none', bytes: 7 });
  let deep: object = { password: 'hidden' };
  for (let n = 0; n < 200; n += 1) deep = { deep };
  assert.doesNotMatch(JSON.stringify(recordValue(JSON.parse(JSON.stringify(deep)), rule())), /hidden/);
});
