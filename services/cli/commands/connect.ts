import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { toolbusRoot } from '../../../shared/config/packages.ts';
import { nearest, showName } from '../../../shared/config/problems.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { clients } from '../clients/all.ts';
import { type Client, clientNames, type EntryFacts, type Scope } from '../clients/client.ts';
import { readOwned, replaceOwned, withoutMark } from '../clients/edit-file.ts';
import { mergeEntry } from '../clients/merge.ts';
import { type Surroundings, userDirectories } from '../clients/places.ts';
import type { CommonFlags } from '../flags.ts';
import { runningMcp } from '../running.ts';
import { runKeysNew } from './keys.ts';

export interface ConnectFlags extends CommonFlags {
  readonly write?: boolean | undefined;
  readonly file?: string | undefined;
  readonly scope?: string | undefined;
  readonly url?: string | undefined;
  readonly name?: string | undefined;
  readonly agent?: string | undefined;
  readonly key?: string | undefined;
}

/** `toolbus connect CLIENT`: prints the entry for the client's file, or merges it there. Exit code 2 for a file that cannot be changed safely. */
export async function runConnect(name: string, flags: ConnectFlags): Promise<number> {
  const client = clientOf(name);
  const surroundings: Surroundings = {
    platform: process.platform,
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
  };
  const file = fileOf(client, flags, surroundings);
  const facts = await factsOf(name, flags, surroundings);
  const written = flags.write === true ? await write(file, client, facts) : undefined;
  if (flags.json === true) {
    const { value } = client.entry(facts);
    const input = client.input?.(facts).value;
    const ways = client.ways(facts).map(({ text }) => text);
    const minted: unknown = flags.agent === undefined ? undefined : JSON.parse(await keyFor(flags.agent, true));
    process.stdout.write(`${JSON.stringify({ client: name, file, entry: value, input, ways, written, minted })}\n`);
    return exitCode.ok;
  }
  if (written === undefined) process.stdout.write(print(file, client, facts));
  else process.stdout.write(`${told(written, file)}\n`);
  if (flags.agent !== undefined) process.stdout.write(`\n${await keyFor(flags.agent, false)}`);
  for (const line of client.next(facts)) process.stderr.write(`next: ${line}\n`);
  return exitCode.ok;
}

/** What `toolbus keys new` says. */
async function keyFor(agent: string, json: boolean): Promise<string> {
  let said = '';
  const stdout = {
    write(text: string) {
      said += text;
    },
  };
  await runKeysNew(agent, json, stdout);
  return said;
}

function clientOf(name: string): Client {
  const known = clientNames.find((one) => one === name);
  if (known !== undefined) return clients[known];
  const near = nearest(name, clientNames);
  throw new OperatorError(exitCode.usage, `no client is called ${JSON.stringify(showName(name))}`, {
    hint: near === undefined ? `there are ${clientNames.join(', ')}` : `did you mean ${near}?`,
  });
}

function fileOf(client: Client, flags: ConnectFlags, surroundings: Surroundings): string {
  if (flags.file !== undefined) return path.resolve(flags.file);
  const scope = flags.scope ?? client.defaultScope;
  if (scope !== 'user' && scope !== 'project') throw new OperatorError(exitCode.usage, '--scope is user or project');
  const file = client.file(scope satisfies Scope, surroundings);
  if (file === undefined) throw new OperatorError(exitCode.usage, `${client.title} has no file for a ${scope}`);
  return file;
}

async function factsOf(client: string, flags: ConnectFlags, surroundings: Surroundings): Promise<EntryFacts> {
  const name = flags.name ?? 'toolbus';
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/.test(name)) {
    throw new OperatorError(exitCode.usage, '--name is 1 to 40 of A-Z a-z 0-9 _ -');
  }
  const url = flags.url ?? (await runningMcp(flags, process.env));
  if (url === undefined) {
    throw new OperatorError(exitCode.unreachable, 'no `toolbus up` runs here, so the endpoint is not known', {
      hint: `start it, or: toolbus connect ${client} --url URL`,
    });
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new OperatorError(exitCode.usage, '--url must begin with http:// or https://');
  }
  const key = flags.key === '-' ? (await textOf(process.stdin)).trim() : flags.key;
  if (key !== undefined && !/^[!-~]+$/.test(key)) {
    throw new OperatorError(exitCode.usage, 'a key is one word of visible ASCII characters');
  }
  const { settings, join } = userDirectories(surroundings);
  const stdio = [process.execPath, path.join(toolbusRoot(), 'bin', 'toolbus.js'), 'stdio'];
  return { url, name, key, stdio, keyFile: join(settings, 'toolbus', `${name}.key`) };
}

interface Written {
  readonly changed: boolean;
  readonly backup: string | undefined;
}

async function write(file: string, client: Client, facts: EntryFacts): Promise<Written> {
  const owned = await readOwned(file);
  const { mark, body } = withoutMark(owned.text ?? '');
  const input = facts.key === undefined ? client.input?.(facts) : undefined;
  const merged = mark + mergeEntry(file, body, client.entry(facts), input);
  if (merged === owned.text) return { changed: false, backup: undefined };
  if (owned.text === undefined) await mkdir(path.dirname(owned.file), { recursive: true });
  const { backup } = await replaceOwned(owned, merged);
  return { changed: true, backup };
}

function told({ changed, backup }: Written, file: string): string {
  if (!changed) return `${file} has this entry already`;
  return backup === undefined ? `${file} is new` : `${file} is changed; what it was: ${backup}`;
}

function print(file: string, client: Client, facts: EntryFacts): string {
  const { value } = client.entry(facts);
  const input = facts.key === undefined ? client.input?.(facts) : undefined;
  const whole = { ...(input && { inputs: [input.value] }), [client.topKey]: { [facts.name]: value } };
  const ways = client.ways(facts).map(({ title, text }) => `\n${title}:\n\n  ${text}\n`);
  return `${client.title}, ${file}:\n\n${JSON.stringify(whole, undefined, 2)}\n${ways.join('')}`;
}
