import type { Requirements } from './requirement.ts';

/** How servers are reached, and how they are kept from harming others. */
export const servers = {
  'upstream:bytes': {
    behavior: 'A result reaches the agent in the words of its server, numbers and order of members included.',
  },
  'upstream:stdio': {
    behavior: 'A stdio server is reached, with exactly the configured environment, and restarted when it dies.',
  },
  'upstream:http': { behavior: 'Streamable HTTP servers are reached, modern and legacy with sessions.' },
  'upstream:garbage': { behavior: 'Garbage on stdout of a stdio server is not fatal.' },
  'upstream:several-urls': { behavior: 'Several URLs of one server are several instances.' },
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
  'breaker:hang-opens': { behavior: 'A server that hangs opens its breaker; calls are answered circuit_open at once.' },
  'breaker:comes-back': { behavior: 'When the server answers again, a probe closes the breaker.' },
  'breaker:others-unharmed': { behavior: 'While one server hangs, calls to others and lists go on.' },
  'affinity:instance': {
    behavior:
      'With affinity, calls of an agent or session go to one instance over any ingress; when it is gone, one call says so.',
  },
  'upstream:flood': { behavior: 'A server that floods stdout costs bounded memory, its own calls and nobody else’s.' },
} as const satisfies Requirements;
