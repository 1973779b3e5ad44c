import type { Requirements } from './requirement.ts';

/** NATS, and the way of a call over it. */
export const bus = {
  'nats:restart-after-crash': { behavior: 'After a SIGKILL, `up` starts again on the same data directory.' },
  'nats:cluster-survives-node': { behavior: 'In a cluster of three, calls go on when one nats-server is killed.' },
  'nats:roles': {
    behavior:
      'Each process has its own NATS user: a worker reaches the subjects of its server alone, nobody the deletion of audit.',
  },
  'nats:tls': { behavior: 'The bus can be TLS, with certificates on both sides.' },
  'bus:signed-calls': { behavior: 'A worker starts only calls that an ingress of its cluster has signed, each once.' },
  'bus:line': {
    behavior:
      'Where every slot is taken, a few short calls wait at the worker itself, none above its concurrency runs.',
  },
  'bus:slow-link': { behavior: 'A bus that is 200 ms away makes calls slower; none is lost for it or runs twice.' },
  'bus:half-open': {
    behavior:
      'A bus that is silent without being closed is noticed; calls are answered in time, and what was refused never runs.',
  },
  'bus:registry-lost': {
    behavior:
      'Without its buckets calls go on with what is known, and workers and ingresses write what they know again: nothing that was blocked or ended is let in.',
  },
  'bus:secret-kept': {
    behavior: 'A minted cluster secret that is gone from NATS is written again; another one in its place is an alarm.',
  },
  'bus:slow-consumer': {
    behavior:
      'A worker that nats-server cuts off because it does not read delays no call for ever, comes back by itself, and runs none twice.',
  },
  'bus:two-writers': {
    behavior:
      'Of two that change one entry of a bucket at once, the later one looks again; neither loses what it wrote.',
  },
  'bus:discovery': { behavior: 'Workers answer $SRV discovery (ADR-32), so that `nats service` shows them.' },
  'bus:workers-share-load': { behavior: 'Two workers of one server both get calls.' },
  'bus:worker-killed': {
    behavior: 'A worker killed under load loses no call that had not started; the others are upstream_lost.',
  },
  'bus:no-double-execution': { behavior: 'No call runs twice, whatever dies.' },
  'nats:closed': { behavior: 'The embedded nats-server has one loopback port and lets nobody in without a password.' },
  'nats:names': { behavior: 'No name from outside adds a token, a wildcard or a line to a subject.' },
} as const satisfies Requirements;
