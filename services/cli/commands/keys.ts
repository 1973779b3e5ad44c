import { createHash, randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { agentSchema } from '../../../shared/config/schema/agents.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';

interface Output {
  write(text: string): unknown;
}

/** What the configuration holds of a key: SHA-256 of the whole key. */
export function hashOf(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

/**
 * `toolbus keys new AGENT`: 256 random bits, shown this once, and the line for the configuration. `expires` is a date or a time as
 * `agents.NAME.keys` takes it. Throws an OperatorError for one that is neither or has passed.
 */
export async function runKeysNew(agent: string, json: boolean, stdout: Output, expires?: string): Promise<number> {
  const key = `tb_${randomBytes(32).toString('base64url')}`;
  const hash = hashOf(key);
  if (expires !== undefined) checkEnd(expires);
  if (json) {
    stdout.write(`${JSON.stringify({ agent, key, hash, expires })}\n`);
  } else {
    const entry = expires === undefined ? `"${hash}"` : `{ hash: "${hash}", expires: "${expires}" }`;
    stdout.write(`key      ${key}\n         shown this once: give it to the agent as "Authorization: Bearer <key>"\n`);
    stdout.write(`config   agents: { ${JSON.stringify(agent)}: { keys: [${entry}] } }\n`);
  }
  return exitCode.ok;
}

function checkEnd(expires: string): void {
  const known = agentSchema.shape.keys.safeParse([{ hash: hashOf(''), expires }]).success;
  if (known && Date.parse(expires) > Date.now()) return;
  throw new OperatorError(exitCode.usage, '--expires must be a date such as 2027-01-31, or a time, that is to come');
}

/** `toolbus keys hash`: the key comes through stdin, so that it stands in no command line. */
export async function runKeysHash(stdin: NodeJS.ReadableStream, json: boolean, stdout: Output): Promise<number> {
  const key = (await text(stdin)).trim();
  if (!/^[!-~]+$/.test(key)) {
    throw new OperatorError(exitCode.usage, 'stdin must hold one key of visible ASCII characters', {
      hint: 'printf %s "$KEY" | toolbus keys hash',
    });
  }
  stdout.write(json ? `${JSON.stringify({ hash: hashOf(key) })}\n` : `${hashOf(key)}\n`);
  return exitCode.ok;
}
