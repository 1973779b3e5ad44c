/** A legacy server without an SDK that misbehaves as its first argument says. */
import { createInterface } from 'node:readline';

const [mode] = process.argv.slice(2);
const say = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
let asksLate: number | undefined;
const text = (value: string) => ({ content: [{ type: 'text', text: value }] });

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params, result, error } = JSON.parse(line);
  switch (method) {
    case 'server/discover':
      if (mode === 'exits-on-unknown') process.exit(1);
      if (mode === 'silent-on-unknown') return;
      return say({ id, error: { code: -32601, message: 'Method not found' } });
    case 'initialize':
      return say({
        id,
        result: {
          protocolVersion: '2025-06-18',
          capabilities: { tools: {} },
          serverInfo: { name: 'raw', version: '0' },
        },
      });
    case 'tools/list':
      if (mode === 'same-cursor') return say({ id, result: { tools: [{ name: 'a' }], nextCursor: 'again' } });
      return say({
        id,
        result: { tools: [{ name: 'a', inputSchema: {} }, { name: '' }, { no: 'name' }, { name: 'a' }] },
      });
    case 'tools/call':
      return call(id, params.name);
    case 'ping':
      return say({ id, result: {} });
    case 'notifications/cancelled':
      // As if it had asked just before it read this.
      if (asksLate !== undefined && params.requestId === asksLate) call(asksLate, 'ask');
      return;
    case undefined:
      // The id of a question is that of its call with a q before it.
      if (typeof id !== 'string') return;
      if (result !== undefined) say({ id: Number(id.slice(1)), result: text(JSON.stringify(result)) });
      if (error !== undefined) say({ id: Number(id.slice(1)), result: text(`refused: ${error.message}`) });
      return;
    default:
      return;
  }
});

function call(id: number, name: string): void {
  switch (name) {
    case 'garbage':
      process.stdout.write(
        'Listening on port 3000\n\n{"jsonrpc":"1.0"}\n{"jsonrpc":"2.0","id":1.5,"result":{}}\n[1,2]\n',
      );
      return void say({ id, result: text('ok') });
    case 'twice':
      say({ id: 'nobody', result: text('forged') });
      say({ id: id + 1000, result: text('forged') });
      say({ id, result: text('first') });
      return void say({ id, result: text('second') });
    case 'both':
      say({ id, result: {}, error: { code: 1, message: 'both' } });
      return void say({ id, error: { code: 1.5, message: 'no integer' } });
    case 'huge': {
      const chunk = 'x'.repeat(1024 * 1024);
      for (let i = 0; i < 80; i += 1) process.stdout.write(chunk);
      return;
    }
    case 'partial':
      return void process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[]`, () => process.exit(0));
    case 'answer-and-exit':
      return void process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: text('bye') })}\n`, () =>
        process.exit(0),
      );
    case 'ask-and-exit':
      setTimeout(() => process.exit(1), 200);
      call(id, 'ask');
      return;
    case 'ask':
      return void say({ id: `q${id}`, method: 'elicitation/create', params: { message: '?', requestedSchema: {} } });
    case 'hang':
      return;
    case 'asks-late':
      asksLate = id;
      return;
    case 'slow':
      return void setTimeout(() => say({ id, result: text('ok') }), 300);
    default:
      say({ id, result: text('ok') });
  }
}
