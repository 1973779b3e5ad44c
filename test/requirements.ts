/**
 * What toolbus promises, as a list that tests cite. `requirements.test.ts` is red while an id is cited by no test.
 * To promise something new: add a row here, and a test that says `verifies('the:id')`.
 */
export const requirements = {
  'start:ready-line': {
    behavior: '`up --json` prints one ready line with endpoint, admin, NATS, pid, key and servers.',
  },
  'start:bundled-example': { behavior: '`up` without a config file runs the four bundled servers.' },
  'start:failed-server': {
    behavior: 'A server that cannot start never stops the others and is named in the ready line.',
  },
  'package:lock': { behavior: 'The lock file installs the nats-server binary on Node 20 and names no registry.' },
  'package:tarball': { behavior: 'A packed tarball installs and runs outside the checkout.' },
  'stop:graceful': { behavior: 'SIGINT and SIGTERM let calls in flight finish, exit 0 and leave no process behind.' },
  'stop:sigkill-leaves-nothing': {
    behavior: 'SIGKILL of `up` leaves neither nats-server nor a stdio child after 2 s.',
  },
  'nats:restart-after-crash': { behavior: 'After a SIGKILL, `up` starts again on the same data directory.' },
  'nats:cluster-survives-node': { behavior: 'In a cluster of three, calls go on when one nats-server is killed.' },
  'nats:roles': {
    behavior:
      'Each process has its own NATS user: a worker reaches the subjects of its server alone, nobody the deletion of audit.',
  },
  'nats:tls': { behavior: 'The bus can be TLS, with certificates on both sides.' },
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
  'bus:signed-calls': { behavior: 'A worker starts only calls that an ingress of its cluster has signed, each once.' },
  'cli:exit-codes': { behavior: 'Exit codes are those of the contract: 0, 2, 4, 5.' },
  'cli:check': { behavior: '`check` validates the config, prints what would run and starts nothing.' },
  'cli:tools': { behavior: '`tools ls`, `inspect` and `call` show and try the catalog.' },
  'cli:servers': { behavior: '`servers` lists servers with their workers and breaker states.' },
  'config:invalid': { behavior: 'A bad config exits 2, naming file:line:col, the key and the nearest valid key.' },
  'config:live-reload': { behavior: 'Added, changed and removed servers apply live; nothing in flight is lost.' },
  'config:broken-reload': { behavior: 'A broken config file is refused and the running configuration stays.' },
  'upstream:bytes': {
    behavior: 'A result reaches the agent in the words of its server, numbers and order of members included.',
  },
  'bus:line': {
    behavior:
      'Where every slot is taken, a few short calls wait at the worker itself, none above its concurrency runs.',
  },
  'upstream:stdio': {
    behavior: 'A stdio server is reached, with exactly the configured environment, and restarted when it dies.',
  },
  'upstream:http': { behavior: 'Streamable HTTP servers are reached, modern and legacy with sessions.' },
  'upstream:garbage': { behavior: 'Garbage on stdout of a stdio server is not fatal.' },
  'upstream:several-urls': { behavior: 'Several URLs of one server are several instances.' },
  'agent:modern': {
    behavior: '2026-07-28: requests without session, discover, cache hints, errors with their statuses.',
  },
  'agent:legacy': { behavior: '2025-11-25 to 2025-03-26: initialize, sessions, batches where the revision has them.' },
  'agent:http-sse': { behavior: '2024-11-05 HTTP+SSE is served on /sse and /messages.' },
  'session:resume': {
    behavior:
      'A legacy agent that lost a stream goes on at any ingress: that stream alone, nothing lost, nothing twice.',
  },
  'session:ingress-killed': {
    behavior:
      'When the ingress that answers is killed, the resumed stream ends with upstream_lost for each open request.',
  },
  'session:one-stream': {
    behavior: 'A session has one standalone stream on all ingresses together; a second GET is 409.',
  },
  'session:bound': {
    behavior:
      'A session and its event ids belong to one principal; to others they are unknown. DELETE ends it everywhere.',
  },
  'session:nemesis': {
    behavior:
      'While ingresses are killed no session is lost, no message is foreign or told twice, every call is answered.',
  },
  'notice:everywhere': {
    behavior: 'resources/updated from any worker reaches every subscribed stream of either era on any ingress once.',
  },
  'notice:rights': {
    behavior: 'Whoever loses the right to an item hears that the list changed, and no more of the item.',
  },
  'agent:sdk-v1': { behavior: 'The client of SDK v1 lists, calls, gets progress, cancels and answers questions.' },
  'agent:sdk-v2': { behavior: 'The client of SDK v2 does the same: legacy, auto and pinned to 2026-07-28.' },
  'agent:inspector': { behavior: 'The Inspector CLI lists and calls tools.' },
  'agent:origin-host': { behavior: 'A foreign Host or Origin is answered 403.' },
  'agent:authentication': { behavior: 'Without a valid key the answer is 401.' },
  'oauth:tokens': {
    behavior: 'Mode oauth takes JWTs of the configured issuers for the endpoint at hand, and answers any other 401.',
  },
  'oauth:challenge': { behavior: 'A 401 of mode oauth names the metadata of the endpoint and the scope to ask for.' },
  'oauth:metadata': {
    behavior: 'Each endpoint has its RFC 9728 document, without authentication; in key mode there is none.',
  },
  'oauth:step-up': {
    behavior: 'A call that lacks a scope is answered 403 with that scope; what the agent may never do stays unknown.',
  },
  'oauth:session-binding': {
    behavior: 'A session belongs to issuer and subject: a newer token keeps it, another subject finds none.',
  },
  'oauth:keys-too': { behavior: 'Mode oauth takes the API keys of agents as well.' },
  'oauth:jwks': {
    behavior:
      'Keys of issuers are kept; unknown ones are fetched once in 30 s, known ones go on while the issuer is down.',
  },
  'oauth:no-passthrough': { behavior: 'The token of an agent reaches no upstream, no log and no NATS message.' },
  'oauth:sdk-client': {
    behavior: 'The client of SDK v2 finds the issuer, gets a token and calls, from the URL alone.',
  },
  'keys:expiry': { behavior: 'A key may have an end, from which on it is unknown.' },
  'keys:revoked-live': {
    behavior: 'A key that is taken away ends the sessions and streams of its agent within two seconds.',
  },
  'access:cors': { behavior: 'CORS is answered for access.allowedOrigins alone, preflights without authentication.' },
  'access:addresses': {
    behavior: 'Address lists go by the socket, or by what trusted proxies say, however the address is spelt.',
  },
  'access:every-route': {
    behavior: 'Every route of the public listener asks who it is, but for the metadata of mode oauth.',
  },
  'access:client-headers': { behavior: 'Headers of an agent that look like ours change nothing.' },
  'access:tls': { behavior: 'With tls the listener speaks HTTPS and takes a changed certificate without a restart.' },
  'upstream-auth:client-credentials': {
    behavior: 'toolbus gets tokens of its own for a server: client credentials with a secret or a key.',
  },
  'upstream-auth:enterprise-managed': {
    behavior: 'toolbus gets tokens for a server through an ID-JAG of an identity provider.',
  },
  'upstream-auth:renewal': {
    behavior: 'Tokens are renewed before they end, and once when a server refuses one; no call fails for it.',
  },
  'upstream-auth:egress': {
    behavior:
      'Addresses that a server names for OAuth are asked only over https, outside our networks, without redirects.',
  },
  'call:prefix': { behavior: 'On /mcp tools are named server__tool, on /mcp/NAME they keep their own names.' },
  'call:progress': { behavior: 'Progress reaches the agent before the answer, with the agent’s own token.' },
  'call:cancel': { behavior: 'A cancelled call is cancelled at the upstream, by the rule of each era.' },
  'call:questions': { behavior: 'Elicitation and sampling reach the agent whatever the eras of agent and upstream.' },
  'call:large-result': { behavior: 'A result larger than one NATS message arrives unchanged.' },
  'call:server-timing': { behavior: 'Every answer to a call carries Server-Timing with gateway and upstream.' },
  'limits:shared': {
    behavior: 'A rate limit holds within 10 % over all ingresses together, however calls are spread.',
  },
  'limits:edge': { behavior: 'Bodies, headers, depth, members and connections are bounded on every transport.' },
  'limits:strangers': { behavior: 'Requests without a valid credential are limited by address, an IPv6 /64 as one.' },
  'limits:no-leak': { behavior: 'However a call ends, what it held of limits is given back.' },
  'limits:reload': { behavior: 'Changed limits apply live and go on with what was counted.' },
  'limits:fair-turns': { behavior: 'An agent at ten times its share raises the p99 of the others at most 1.5 times.' },
  'limits:refusal': {
    behavior: 'A used up limit is answered 429 or 503 with Retry-After, executed no; on a legacy stream in band.',
  },
  'error:unknown-tool': { behavior: 'Unknown and forbidden tools answer −32602.' },
  'error:shape': { behavior: 'Errors of toolbus carry code, callId, reason and executed.' },
  'error:upstream-timeout': { behavior: 'A call beyond its deadline answers upstream_timeout, executed unknown.' },
  'error:upstream-lost': { behavior: 'A call whose upstream dies answers upstream_lost within 3.5 s.' },
  'catalog:list-changed': { behavior: 'A changed tool list reaches agents that listen, and the next list.' },
  'catalog:dead-server-stays-listed': { behavior: 'A dead server neither empties nor delays the list.' },
  'bus:discovery': { behavior: 'Workers answer $SRV discovery (ADR-32), so that `nats service` shows them.' },
  'bus:workers-share-load': { behavior: 'Two workers of one server both get calls.' },
  'bus:worker-killed': {
    behavior: 'A worker killed under load loses no call that had not started; the others are upstream_lost.',
  },
  'bus:no-double-execution': { behavior: 'No call runs twice, whatever dies.' },
  'breaker:hang-opens': { behavior: 'A server that hangs opens its breaker; calls are answered circuit_open at once.' },
  'breaker:comes-back': { behavior: 'When the server answers again, a probe closes the breaker.' },
  'breaker:others-unharmed': { behavior: 'While one server hangs, calls to others and lists go on.' },
  'admin:health': { behavior: '/livez and /readyz answer, the latter with reasons.' },
  'admin:metrics': { behavior: '/metrics is Prometheus text with the MCP duration and gateway overhead histograms.' },
  'conformance:modern': { behavior: 'Every scored scenario of 2026-07-28 passes through the gateway.' },
  'conformance:legacy': { behavior: 'Every scored scenario of 2025-11-25 passes through the gateway.' },
  'conformance:no-affinity': { behavior: 'All of it passes with two ingresses and no sticky sessions.' },
  'conformance:client': { behavior: 'Towards the suite’s own servers the gateway is a conforming client.' },
  'bridge:codecs': { behavior: 'A message translated to the other era and back is what it was.' },
  'bridge:policy': { behavior: 'What an agent may list and call is the same over every transport and revision.' },
  'bridge:held-call': {
    behavior:
      'A question of a legacy server waits for its agent: answered over any ingress, once, and given up when nobody answers.',
  },
  'affinity:instance': {
    behavior:
      'With affinity, calls of an agent or session go to one instance over any ingress; when it is gone, one call says so.',
  },
  'tasks:pass-through': {
    behavior: 'Tasks of 2026-07-28 pass through with sealed ids; agents without them get the result of the task.',
  },
  'block:tool': {
    behavior: '`block tool` hides a tool on every ingress within a second; calls answer as for an unknown one.',
  },
  'block:server': { behavior: '`block server` hides a server everywhere; agents are told and calls in flight finish.' },
  'block:agent': { behavior: '`block agent` answers 403 everywhere, ends its streams, and holds after a restart.' },
  'connect:clients': {
    behavior: '`connect` prints and merges the entry of Claude Desktop, Claude Code, Cursor and VS Code.',
  },
  'connect:keeps-file': {
    behavior: '`connect --write` keeps comments and unknown fields, writes a .bak, and refuses a broken file.',
  },
  'stdio:eras': {
    behavior: '`stdio` serves the clients of SDK v1 and v2 in both eras, with progress, questions and cancellation.',
  },
  'stdio:restart': { behavior: '`stdio` outlives a restart of the gateway; calls in flight get a JSON-RPC error.' },
  'stdio:clean-stdout': { behavior: '`stdio` writes nothing but JSON-RPC to stdout, and ends when stdin closes.' },
  'stdio:mcpb': { behavior: 'The .mcpb bundle holds a valid manifest and runs outside the checkout.' },
  'import:clients': {
    behavior: '`import` turns files of Claude, Cursor and VS Code into valid configuration without their secrets.',
  },
  'doctor:names-broken-step': { behavior: '`doctor` stops at the broken step, names it, and exits with its code.' },
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
  'isolation:ids': { behavior: 'Equal JSON-RPC ids of many agents never bring one the answer of another.' },
  'isolation:forbidden': {
    behavior: 'A forbidden tool and one that is not there have equal answers; the audit knows which was asked.',
  },
  'isolation:lists': { behavior: 'No list, page or cursor shows an agent what another may use.' },
  'isolation:state': { behavior: 'The state of a question is good for its agent, tool and arguments alone.' },
  'fuzz:listener': { behavior: 'No request ends the ingress, hangs, or is answered with an unexplained 5xx.' },
  'fuzz:no-commands': { behavior: 'No request to any listener starts a process.' },
  'fuzz:bus': { behavior: 'No message on NATS and no value in KV ends an ingress or a worker.' },
  'fuzz:config': { behavior: 'A mutated configuration is loaded or refused with exit code 2 and a place.' },
  'secrets:nowhere': { behavior: 'Secrets are in no log, metric, answer, audit record, NATS subject or bucket.' },
  'logs:one-line': { behavior: 'Whatever a name or argument holds, a log line is one JSON object.' },
  'metrics:bounded': { behavior: 'Names that callers invent add no series to the metrics.' },
  'trace:checked': { behavior: 'Malformed trace context is ignored, and baggage goes no further.' },
  'upstream:flood': { behavior: 'A server that floods stdout costs bounded memory, its own calls and nobody else’s.' },
  'edge:slow': { behavior: 'Slow connections are cut, and others are served meanwhile.' },
  'egress:redirects': { behavior: 'No redirect of a server or issuer is followed.' },
  'nats:closed': { behavior: 'The embedded nats-server has one loopback port and lets nobody in without a password.' },
  'nats:names': { behavior: 'No name from outside adds a token, a wildcard or a line to a subject.' },
} as const satisfies Readonly<Record<string, { readonly behavior: string }>>;

export type RequirementId = keyof typeof requirements;

/** Says which promises the test at hand holds. Throws for an id that is not in the list. */
export function verifies(...ids: readonly RequirementId[]): void {
  for (const id of ids) {
    if (!Object.hasOwn(requirements, id)) throw new Error(`no such requirement: ${id}`);
  }
}
