import type { Requirements } from './requirement.ts';

/** What is hostile until it is checked: arguments, definitions, answers, requests. */
export const hostileInput = {
  'validation:arguments': {
    behavior:
      'Arguments that fail the tool’s schema answer isError naming each field; the server is not called, in any era.',
  },
  'validation:pattern-identity': { behavior: 'Two patterns of a schema are never taken for one.' },
  'validation:redos': { behavior: 'A backtracking pattern with 100 kB of text neither stalls nor fails honest text.' },
  'validation:schema-bombs': { behavior: 'A schema bomb costs no more than its size, and its tool alone is excluded.' },
  'validation:bounded': {
    behavior: 'Arguments that take too long to check end the thread that checks them, nothing else.',
  },
  'validation:same-verdict': { behavior: 'A validator’s verdict is that of the plain engine.' },
  'validation:integers': { behavior: 'Integers beyond 2^53 in arguments are refused by name, never silently changed.' },
  'validation:quarantine': {
    behavior: 'An unusable definition is quarantined alone; `tools ls --all`, logs and metrics say why.',
  },
  'validation:results': {
    behavior: 'Structured results are checked against the output schema where the operator says so.',
  },
  'rules:path': { behavior: 'A path under a root rule leads out of it in no spelling.' },
  'rules:hosts': { behavior: 'A URL under a host rule leads to no other host in any spelling.' },
  'rules:enforced': {
    behavior: 'A call that breaks a rule answers isError naming field and rule; the server is not called.',
  },
  'rules:config': { behavior: 'A rule with a bad pattern exits 2 with file:line:col.' },
  'hostile:names': { behavior: 'Look-alike, colliding and reserved names are kept from agents, deterministically.' },
  'hostile:text': {
    behavior: 'Control, bidi, zero-width and tag characters never reach an agent in names or descriptions.',
  },
  'hostile:pinning': {
    behavior: 'A changed definition of a pinned tool is reported or blocked on every ingress until approved.',
  },
  'hostile:urls': {
    behavior: 'Only http(s) URLs without user names are passed to agents to open; none is ever fetched.',
  },
  'hostile:answers': {
    behavior:
      'Unknown kinds of results, double and foreign answers are bad output or dropped; the agent gets one answer.',
  },
  'hostile:headers': {
    behavior: 'An argument mirrored into a header adds no header; bad annotations exclude their tool.',
  },
  'hostile:compression': { behavior: 'A compressed bomb from a server is refused without being unpacked.' },
  'hostile:fuzz': { behavior: 'No definition or answer of a server hides another tool or ends a process.' },
  'fuzz:listener': { behavior: 'No request ends the ingress, hangs, or is answered with an unexplained 5xx.' },
  'fuzz:no-commands': { behavior: 'No request to any listener starts a process.' },
  'fuzz:bus': { behavior: 'No message on NATS and no value in KV ends an ingress or a worker.' },
  'fuzz:config': { behavior: 'A mutated configuration is loaded or refused with exit code 2 and a place.' },
  'secrets:nowhere': { behavior: 'Secrets are in no log, metric, answer, audit record, NATS subject or bucket.' },
  'logs:one-line': { behavior: 'Whatever a name or argument holds, a log line is one JSON object.' },
  'metrics:bounded': { behavior: 'Names that callers invent add no series to the metrics.' },
  'trace:checked': { behavior: 'Malformed trace context is ignored, and baggage goes no further.' },
  'edge:slow': { behavior: 'Slow connections are cut, and others are served meanwhile.' },
  'egress:redirects': { behavior: 'No redirect of a server or issuer is followed.' },
} as const satisfies Requirements;
