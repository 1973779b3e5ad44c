import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { sha256Hex } from '../../../../shared/audit/digest.ts';
import { auditKeys } from '../../../../shared/audit/keys.ts';
import { decodePack } from '../../../../shared/audit/pack.ts';
import { type Finding, type Verdict, verifyRecords } from '../../../../shared/audit/verify.ts';
import { verifyExport } from '../../../../shared/audit/verify-export.ts';
import { auditMarks } from '../../../../shared/bus/audit-marks.ts';
import { readStream } from '../../../../shared/bus/audit-reader.ts';
import { auditStreams } from '../../../../shared/bus/audit-stream.ts';
import { openClusterBucket } from '../../../../shared/bus/buckets.ts';
import { knownClusterSecret } from '../../../../shared/bus/cluster-secret.ts';
import { loadConfig } from '../../../../shared/config/load.ts';
import { resolveRuntime } from '../../../../shared/config/runtime.ts';
import type { Config } from '../../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import type { CommonFlags } from '../../flags.ts';
import { type OpenAudit, withAudit } from './with-audit.ts';

export interface VerifyFlags extends CommonFlags {
  /** An export; without it the live streams. */
  readonly file?: string;
  /** Keys that may have signed; by default those of the cluster secret. */
  readonly publicKey?: readonly string[];
  /** Checkpoints kept elsewhere (`audit.checkpoints.file`), which must stand in the live stream too. */
  readonly checkpoints?: string;
}

/** `toolbus audit verify`: 0 when every record is as it was written, 6 when not, naming the first bad one. */
export async function runAuditVerify(flags: VerifyFlags): Promise<number> {
  const { file } = flags;
  const verdict =
    file === undefined ? await withAudit(flags, (audit) => verifyLive(audit, flags)) : await verifyFile(file, flags);
  process.stdout.write(flags.json === true ? `${JSON.stringify(verdict)}\n` : render(verdict));
  return verdict.ok ? exitCode.ok : exitCode.difference;
}

async function verifyLive({ nc, names, config }: OpenAudit, flags: VerifyFlags): Promise<Verdict> {
  const bucket = await openClusterBucket(nc, config.nats.tenant);
  const secret = await knownClusterSecret(bucket, config.cluster.secret);
  const streams = await auditStreams(nc);
  const [records, signed, mark] = await Promise.all([
    streams.inspect(names.records),
    streams.inspect(names.checkpoints),
    auditMarks(bucket).get(),
  ]);
  // The checkpoints first: what they cover is in the stream by then.
  const checkpoints: string[] = [];
  if (signed !== undefined) {
    for await (const { data } of readStream(nc, names.checkpoints))
      checkpoints.push(Buffer.from(data).toString('utf8'));
  }
  const trustedKeys = flags.publicKey ?? (secret === undefined ? [] : keysOf(config, secret));
  if (checkpoints.length > 0 && trustedKeys.length === 0) {
    throw new OperatorError(
      exitCode.usage,
      'nothing tells whose checkpoints these are: the cluster secret is not in NATS',
      {
        hint: 'set cluster.secret to what the ingresses have, or give --public-key',
      },
    );
  }
  const beginsLate = records !== undefined && records.maxAgeMs > 0;
  const damaged: Finding[] = [];
  const lines = records === undefined ? [] : liveLines(nc, names.records, (finding) => void damaged.push(finding));
  const verdict = await verifyRecords(lines, { checkpoints, trustedKeys, beginsLate });
  const findings = [...verdict.findings, ...damaged.slice(0, maxDamaged)];
  if (records === undefined && (mark !== undefined || checkpoints.length > 0)) {
    findings.unshift(missing(`the stream ${names.records} is gone`));
  } else if (records !== undefined && mark !== undefined && mark.created !== records.created) {
    findings.unshift(
      missing(`the stream ${names.records} was made at ${mark.created}; this one at ${records.created}`),
    );
  }
  if (flags.checkpoints !== undefined) {
    const known = new Set(checkpoints);
    for await (const line of linesOf(flags.checkpoints)) {
      if (line === '' || known.has(line) || beginsLate) continue;
      const message = `a checkpoint of ${flags.checkpoints} is not in the stream: ${line.slice(0, 120)}`;
      findings.push({ what: 'checkpoint_dropped', message });
      break;
    }
  }
  return { ...verdict, findings, ok: findings.length === 0 };
}

/** The end of a chain has no successor to tell what it was; the header of its pack does. */
async function* liveLines(
  nc: OpenAudit['nc'],
  stream: string,
  report: (finding: Finding) => void,
): AsyncIterable<string> {
  for await (const { seq, data } of readStream(nc, stream)) {
    const pack = decodePack(data);
    if (pack === undefined) {
      yield `message ${seq}`;
      continue;
    }
    yield* pack.lines;
    const { writer, count, hash } = pack.header;
    if (pack.lines.length === count && sha256Hex(pack.lines.at(-1) ?? '') === hash) continue;
    const last = pack.header.seq + count - 1;
    const message = `message ${seq}: its records up to ${last} of writer ${writer} are not those it was written with`;
    report({ what: 'edited', message, writer, seq: last });
  }
}

async function verifyFile(file: string, flags: VerifyFlags): Promise<Verdict> {
  return verifyExport(linesOf(file), { trustedKeys: flags.publicKey ?? (await configuredKeys(flags)) });
}

/** Undefined where no secret is configured: then any key may have signed, and is named. */
async function configuredKeys(flags: VerifyFlags): Promise<readonly string[] | undefined> {
  const runtime = resolveRuntime(flags, process.env);
  const options = { env: process.env, cwd: process.cwd(), forUp: true, dataDir: runtime.dataDir };
  const loaded = await loadConfig({ ...options, file: flags.config }).catch((error: unknown) => {
    if (flags.config !== undefined) throw error;
    return undefined;
  });
  const secret = loaded?.config.cluster.secret ?? '';
  return loaded === undefined || secret === '' ? undefined : keysOf(loaded.config, secret);
}

function keysOf({ cluster }: Config, secret: string): readonly string[] {
  return [secret, ...cluster.previousSecrets].map((each) => auditKeys(each).publicKey);
}

async function* linesOf(file: string): AsyncIterable<string> {
  const input = createReadStream(file);
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw new OperatorError(exitCode.usage, `cannot read ${file}`, { cause: error });
  }
}

const maxDamaged = 20;

const missing = (message: string): Finding => ({ what: 'missing_stream', message });

function render(verdict: Verdict): string {
  const { findings, records, writers, checkpoints, uncovered, keys, acceptedLosses } = verdict;
  const lines = [
    `${records} records by ${writers} writers, ${checkpoints} checkpoints`,
    ...keys.map((key) => `signed by ${key}`),
    ...acceptedLosses.map((time) => `an operator accepted a loss of records at ${time}`),
  ];
  if (uncovered > 0) lines.push(`${uncovered} records are not covered by a checkpoint yet`);
  if (findings.length === 0) lines.push('ok: every record is as it was written');
  else {
    lines.push(`BAD: ${findings[0]?.message ?? ''}`);
    for (const { message } of findings.slice(1, 20)) lines.push(`     ${message}`);
    if (findings.length > 20) lines.push(`     and ${findings.length - 20} more`);
  }
  return `${lines.join('\n')}\n`;
}
