import { randomUUID } from 'node:crypto';
import { connect } from '@nats-io/transport-node';
import Fastify from 'fastify';

// The floor: what HTTP → NATS → worker costs when the gateway does nothing but forward. Client defaults throughout.
const nc = await connect({ servers: process.argv[2] ?? '' });
const sessions = new Set<string>();
const app = Fastify({ bodyLimit: 8 * 1024 * 1024 });
app.removeAllContentTypeParsers();
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

app.post<{ Params: { server: string }; Body: Buffer }>('/mcp/:server', async (request, reply) => {
  const message: { id?: unknown; method?: string } = JSON.parse(request.body.toString());
  const subject = `floor.call.${request.params.server}`;
  if (message.id === undefined) {
    nc.publish(subject, request.body);
    return reply.code(202).send();
  }
  if (message.method === 'initialize') {
    const session = randomUUID();
    sessions.add(session);
    reply.header('mcp-session-id', session);
  }
  const answer = await nc.request(subject, request.body, { timeout: 60_000 });
  return reply.type('application/json').send(answer.data);
});

const url = await app.listen({ host: '127.0.0.1', port: 0 });
console.log(JSON.stringify({ event: 'ready', url }));
