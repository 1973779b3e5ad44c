import type { Requirements } from './requirement.ts';

/** What the commands do, besides serving: starting and stopping, configuration, other programs. */
export const commandLine = {
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
  'cli:exit-codes': { behavior: 'Exit codes are those of the contract: 0, 2, 4, 5.' },
  'cli:check': { behavior: '`check` validates the config, prints what would run and starts nothing.' },
  'cli:tools': { behavior: '`tools ls`, `inspect` and `call` show and try the catalog.' },
  'cli:servers': { behavior: '`servers` lists servers with their workers and breaker states.' },
  'config:invalid': { behavior: 'A bad config exits 2, naming file:line:col, the key and the nearest valid key.' },
  'config:pinned': {
    behavior:
      'security.unpinnedPackages: refuse keeps a package without an exact version from starting, at start and live.',
  },
  'config:live-reload': { behavior: 'Added, changed and removed servers apply live; nothing in flight is lost.' },
  'config:broken-reload': { behavior: 'A broken config file is refused and the running configuration stays.' },
  'admin:health': { behavior: '/livez and /readyz answer, the latter with reasons.' },
  'admin:metrics': { behavior: '/metrics is Prometheus text with the MCP duration and gateway overhead histograms.' },
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
} as const satisfies Requirements;
