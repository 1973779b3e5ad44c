import type { Requirements } from './requirement.ts';

/** What is recorded, and what is done with it. */
export const audit = {
  'audit:search': { behavior: 'Recorded calls are found by time, agent, server, tool, outcome and text.' },
  'audit:tail': { behavior: '`audit tail` shows records as they are written.' },
  'audit:show': { behavior: '`audit show` tells one call hop by hop.' },
  'audit:export': { behavior: 'An export is NDJSON that `audit verify --file` can check.' },
  'audit:replay': { behavior: 'Recorded calls are made again, at their pace or another, and their answers compared.' },
  'audit:diff': { behavior: '`audit diff` names what a replay found, field by field, and exits 6.' },
  'audit:sinks': { behavior: 'Records are sent to a file or an OpenTelemetry collector, each at least once.' },
  'audit:shadow': {
    behavior: 'Copies of read-only calls go to another server, delay nobody, and what differs is recorded.',
  },
  'audit:two-phases': {
    behavior:
      'An intent is in the audit before a tool starts, an outcome before its answer leaves; refusals are there too.',
  },
  'audit:fail-closed': {
    behavior: 'When nothing records, calls are refused with audit_unavailable within 600 ms and no tool runs.',
  },
  'audit:outcome-kept': {
    behavior: 'An outcome that the stream does not take goes to the disk, and into the stream once when it heals.',
  },
  'audit:disks': {
    behavior: 'A full or frozen disk below NATS or the spool loses no acknowledged record and blocks no process.',
  },
  'audit:slow-disk': {
    behavior:
      'Where storing takes 200 ms calls take longer, none is refused, and records share messages; where it takes longer than 500 ms nothing runs.',
  },
  'audit:best-effort': {
    behavior: 'With `mode: best-effort` calls go on without the stream; what is missing is on the disk, or counted.',
  },
  'audit:large': {
    behavior:
      'Arguments and results above `audit.inlineBytes` are a digest and a size; a replay skips and counts them.',
  },
  'audit:retention': {
    behavior: 'A full stream drops nothing; records end by `maxAgeDays` alone, and that is no finding.',
  },
  'audit:replicated': {
    behavior: 'In a cluster the audit has three copies, and the end of the node that leads it loses no record.',
  },
  'audit:survives-kills': {
    behavior: 'After SIGKILL of ingress, worker or nats-server every effect has an intent, every OK answer an outcome.',
  },
  'audit:stream-guarded': {
    behavior: 'A full or vanished audit stream is an alarm; a vanished one is never silently made anew.',
  },
  'audit:tamper-evident': {
    behavior: '`audit verify` finds edited, dropped, swapped and cut off records, exits 6 and names the first bad one.',
  },
  'audit:redaction': { behavior: 'Values of arguments whose names match a pattern never reach the audit.' },
  'audit:hmac': { behavior: 'With `arguments: hmac` an auditor can test a guessed value, and nobody can read one.' },
  'audit:bounded-refusals': {
    behavior: 'Requests without a key cannot fill the audit: they are counted by address and second.',
  },
} as const satisfies Requirements;
