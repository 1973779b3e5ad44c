import { connect, type Msg } from '@nats-io/transport-node';
import { Pool } from 'undici';

// The floor's worker: a queue subscriber that posts each message to the upstream over keep-alive connections.
const [natsUrl = '', server = '', upstream = '', connections = '64'] = process.argv.slice(2);
const nc = await connect({ servers: natsUrl });
const pool = new Pool(upstream, { connections: Number(connections), bodyTimeout: 0, headersTimeout: 0 });
const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

async function forward(message: Msg): Promise<void> {
  const answer = await pool.request({ method: 'POST', path: '/mcp', headers, body: message.data });
  message.respond(new Uint8Array(await answer.body.arrayBuffer()));
}

nc.subscribe(`floor.call.${server}`, { queue: server, callback: (_error, message) => void forward(message) });
await nc.flush();

console.log(JSON.stringify({ event: 'ready', server }));
