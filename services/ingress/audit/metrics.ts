import { Counter, Gauge, type Registry } from 'prom-client';
import type { AuditStatus } from './audit.ts';

/** Puts the figures of the audit among the metrics. `status` is asked at each scrape. */
export function registerAuditMetrics(registry: Registry, status: () => AuditStatus): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (now: AuditStatus) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(status()));
      },
    });
  };
  const counter = (name: string, help: string, read: (now: AuditStatus) => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read(status()));
      },
    });
  };
  gauge('toolbus_audit_recording', '1 while calls are recorded.', ({ state }) => (state === 'recording' ? 1 : 0));
  gauge('toolbus_audit_spooled', 'Records on the disk that are not in the stream yet.', ({ spooled }) => spooled);
  gauge(
    'toolbus_audit_stream_bytes',
    'Size of the audit stream, looked at every 10 s.',
    ({ usage }) => usage?.bytes ?? 0,
  );
  gauge(
    'toolbus_audit_stream_max_bytes',
    'Size at which the audit stream takes no more.',
    ({ usage }) => usage?.maxBytes ?? 0,
  );
  gauge(
    'toolbus_audit_ack_seconds',
    'How long the last pack of records took to be acknowledged.',
    ({ ackMs }) => ackMs / 1000,
  );
  gauge('toolbus_audit_checkpoint_failures', 'Checkpoints that failed in a row.', (now) => now.checkpointFailures);
  counter('toolbus_audit_records_total', 'Records in the stream.', ({ recorded }) => recorded);
  counter('toolbus_audit_packs_total', 'Messages that they were packed into.', ({ packs }) => packs);
  counter('toolbus_audit_refused_total', 'Calls refused because nothing recorded.', ({ refused }) => refused);
  counter('toolbus_audit_lost_total', 'Records that are neither in the stream nor on the disk.', ({ lost }) => lost);
}
