import type { Requirements } from './requirement.ts';

/** What agents get, over every transport and revision. */
export const agents = {
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
  'call:prefix': { behavior: 'On /mcp tools are named server__tool, on /mcp/NAME they keep their own names.' },
  'call:progress': { behavior: 'Progress reaches the agent before the answer, with the agent’s own token.' },
  'call:cancel': { behavior: 'A cancelled call is cancelled at the upstream, by the rule of each era.' },
  'call:questions': { behavior: 'Elicitation and sampling reach the agent whatever the eras of agent and upstream.' },
  'call:large-result': { behavior: 'A result larger than one NATS message arrives unchanged.' },
  'call:server-timing': { behavior: 'Every answer to a call carries Server-Timing with gateway and upstream.' },
  'error:unknown-tool': { behavior: 'Unknown and forbidden tools answer −32602.' },
  'error:shape': { behavior: 'Errors of toolbus carry code, callId, reason and executed.' },
  'error:upstream-timeout': { behavior: 'A call beyond its deadline answers upstream_timeout, executed unknown.' },
  'error:upstream-lost': { behavior: 'A call whose upstream dies answers upstream_lost within 3.5 s.' },
  'catalog:list-changed': { behavior: 'A changed tool list reaches agents that listen, and the next list.' },
  'catalog:dead-server-stays-listed': { behavior: 'A dead server neither empties nor delays the list.' },
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
  'tasks:pass-through': {
    behavior: 'Tasks of 2026-07-28 pass through with sealed ids; agents without them get the result of the task.',
  },
  'tasks:abandoned': {
    behavior: 'A task that its server announces after the call was given up is cancelled, once.',
  },
  'tasks:notifications': {
    behavior:
      'subscriptions/listen tells an agent of its own tasks, at any ingress and whether or not their server does; nobody else is told.',
  },
  'tasks:legacy': {
    behavior:
      'Agents before 2026-07-28 are offered no tasks: their methods do not exist and a wish for one is ignored.',
  },
} as const satisfies Requirements;
