import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { agentWithKey } from '../helpers/keys.ts';
import { callTool, textOf } from '../helpers/rpc.ts';
import { startToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { echoTool, hostileServer } from './hostile.ts';

const isInstalled = spawnSync('slowhttptest', ['-h']).error === undefined;
const skip = isInstalled ? {} : { skip: 'slowhttptest is not installed (Debian has it)' };

const cut = /Exit status:\s+No open connections left/;

/** The command's own attacks, against headers, body and reading of the answer: a reader of small answers is an idle connection, which may stay. */
const attacks: [name: string, end: RegExp, args: string[]][] = [
  ['slow headers', cut, ['-H', '-i', '3', '-x', '24']],
  ['a slow body', cut, ['-B', '-i', '3', '-x', '10', '-s', '8192', '-t', 'POST']],
  ['slow reading', /Exit status/, ['-X', '-w', '10', '-y', '20', '-n', '5', '-z', '32', '-k', '3']],
];

for (const [name, end, args] of attacks) {
  test(`slow agents - slowhttptest with ${name} is borne, and others are served meanwhile (E7)`, skip, async () => {
    verifies('edge:slow');
    const { key, agent } = agentWithKey();
    using upstream = hostileServer({ tools: [echoTool('echo')] });
    await using toolbus = await startToolbus({ config: { servers: { h: upstream.server }, agents: { a: agent } } });
    const { mcp } = toolbus.ready;
    const command = [...args, '-c', '200', '-r', '100', '-l', '25', '-p', '5', '-u', mcp];
    const attack = spawn('slowhttptest', command, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [attack.stdout, attack.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    const ended = new Promise<void>((resolve) => attack.once('close', () => resolve()));
    const over = ended.then(() => true);
    let served = 0;
    do {
      const answer = await callTool(mcp, 'h__echo', { served }, { key, signal: AbortSignal.timeout(20_000) });
      assert.equal(textOf(answer), JSON.stringify({ served }));
      served += 1;
    } while (!(await Promise.race([over, new Promise<false>((resolve) => setTimeout(() => resolve(false), 200))])));
    assert.ok(served >= 10, `${served} calls were served meanwhile`);
    const plain = said.replaceAll(/\u001b\[[\d;]*m/g, '');
    assert.match(plain, end);
    assert.doesNotMatch(plain, /service available:\s+NO/);
  });
}
