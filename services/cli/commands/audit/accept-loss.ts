import { noRecords } from '../../../../shared/audit/chain.ts';
import { headOf, noCheckpoints, readCheckpoint, signCheckpoint } from '../../../../shared/audit/checkpoint.ts';
import { auditKeys } from '../../../../shared/audit/keys.ts';
import { auditMarks } from '../../../../shared/bus/audit-marks.ts';
import { createAuditPublisher } from '../../../../shared/bus/audit-publisher.ts';
import { type AuditStreamFacts, auditStreams, checkpointLimits } from '../../../../shared/bus/audit-stream.ts';
import { openClusterBucket } from '../../../../shared/bus/buckets.ts';
import { clusterSecret } from '../../../../shared/bus/cluster-secret.ts';
import { subjectsOf } from '../../../../shared/bus/subjects.ts';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import type { CommonFlags } from '../../flags.ts';
import { type OpenAudit, withAudit } from './with-audit.ts';

const dayMs = 86_400_000;
const ackMs = 5_000;

/** `toolbus audit accept-loss`: the audit stream is gone; begin a new one, and say so in the chain of checkpoints. */
export async function runAuditAcceptLoss(flags: CommonFlags): Promise<number> {
  const made = await withAudit(flags, acceptLoss);
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ stream: made.name, created: made.created })}\n`
      : `${made.name} made at ${made.created}; calls are recorded there from now on\n`,
  );
  return exitCode.ok;
}

/** Throws OperatorError where the stream is the one that was written to. */
async function acceptLoss({ nc, names, config }: OpenAudit): Promise<AuditStreamFacts> {
  const { tenant } = config.nats;
  const { maxBytes, maxAgeDays, replicas } = config.audit;
  const limits = { maxBytes, maxAgeMs: maxAgeDays === undefined ? undefined : maxAgeDays * dayMs, replicas };
  const subjects = subjectsOf(tenant);
  const bucket = await openClusterBucket(nc, tenant);
  const marks = auditMarks(bucket);
  const streams = await auditStreams(nc);
  const [known, before] = await Promise.all([streams.inspect(names.records), marks.get()]);
  if (known !== undefined && known.created === before?.created) {
    throw new OperatorError(
      exitCode.usage,
      `the stream ${names.records} is there, and it is the one that was written to`,
      {
        hint: '`toolbus audit verify` says whether records of it are missing',
      },
    );
  }
  const made = known ?? (await streams.create({ name: names.records, subject: subjects.audits(), ...limits }));
  if ((await streams.inspect(names.checkpoints)) === undefined) {
    await streams.create({ name: names.checkpoints, subject: subjects.checkpoints(), ...checkpointLimits(limits) });
  }
  const { secret } = await clusterSecret(bucket, config.cluster.secret);
  const last = await streams.last(names.checkpoints);
  const lastLine = last === undefined ? '' : Buffer.from(last.data).toString('utf8');
  const checkpoint = readCheckpoint(lastLine);
  const line = signCheckpoint(
    { writer: '', head: noRecords, lossAccepted: true, time: new Date().toISOString() },
    checkpoint === undefined ? noCheckpoints : headOf(checkpoint, lastLine),
    auditKeys(secret),
  );
  const publisher = createAuditPublisher(nc);
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(unreachable('no acknowledgement')), ackMs);
      publisher.publish(
        subjects.checkpoint('operator'),
        line,
        { id: `loss:${made.created}`, expectLastSeq: last?.seq ?? 0 },
        (ack) => {
          clearTimeout(late);
          if (ack.kind === 'stored') resolve();
          else reject(unreachable(ack.kind === 'refused' ? ack.description : 'no stream takes checkpoints'));
        },
      );
    });
  } finally {
    publisher.close();
  }
  await marks.put({ created: made.created });
  return made;
}

function unreachable(why: string): OperatorError {
  return new OperatorError(exitCode.unreachable, `the loss could not be noted: ${why}`, { hint: 'run it again' });
}
