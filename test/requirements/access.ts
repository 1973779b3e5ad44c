import type { Requirements } from './requirement.ts';

/** Who may come in, and how much they may use. */
export const access = {
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
  'limits:shared': {
    behavior: 'A rate limit holds within 10 % over all ingresses together, however calls are spread.',
  },
  'limits:edge': { behavior: 'Bodies, headers, depth, members and connections are bounded on every transport.' },
  'limits:strangers': { behavior: 'Requests without a valid credential are limited by address, an IPv6 /64 as one.' },
  'limits:no-leak': { behavior: 'However a call ends, what it held of limits is given back.' },
  'limits:reload': { behavior: 'Changed limits apply live and go on with what was counted.' },
  'limits:fair-turns': { behavior: 'An agent at ten times its share raises the p99 of the others at most 1.5 times.' },
  'limits:fair-turns-ingresses': {
    behavior: 'The same holds through several ingresses, whichever of them the calls of an agent come through.',
  },
  'limits:refusal': {
    behavior: 'A used up limit is answered 429 or 503 with Retry-After, executed no; on a legacy stream in band.',
  },
  'block:tool': {
    behavior: '`block tool` hides a tool on every ingress within a second; calls answer as for an unknown one.',
  },
  'block:server': { behavior: '`block server` hides a server everywhere; agents are told and calls in flight finish.' },
  'block:agent': { behavior: '`block agent` answers 403 everywhere, ends its streams, and holds after a restart.' },
  'keys:timing': { behavior: 'How long a refusal takes says nothing about how much of a key was right.' },
  'isolation:ids': { behavior: 'Equal JSON-RPC ids of many agents never bring one the answer of another.' },
  'isolation:forbidden': {
    behavior: 'A forbidden tool and one that is not there have equal answers; the audit knows which was asked.',
  },
  'isolation:lists': { behavior: 'No list, page or cursor shows an agent what another may use.' },
  'isolation:state': { behavior: 'The state of a question is good for its agent, tool and arguments alone.' },
} as const satisfies Requirements;
