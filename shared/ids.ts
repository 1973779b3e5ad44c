import { randomBytes } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const timeChars = 10;
const randomChars = 16;

/** 26 characters of Crockford base 32: 48 bits of milliseconds and 80 random bits (a ULID), so that ids sort by time. */
export function createCallId(now = Date.now()): string {
  let time = now;
  let head = '';
  for (let n = 0; n < timeChars; n += 1) {
    head = alphabet[time % 32] + head;
    time = Math.floor(time / 32);
  }
  return head + randomText(randomChars);
}

/** When a call id was made, epoch milliseconds; undefined for what is none. */
export function callTimeOf(id: string): number | undefined {
  if (!/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id)) return undefined;
  let time = 0;
  for (const character of id.slice(0, timeChars)) time = time * 32 + alphabet.indexOf(character);
  return time;
}

/** Id of a process on the bus: `[0-9A-Z]{10}`. */
export function createProcessId(): string {
  return randomText(10);
}

function randomText(length: number): string {
  let text = '';
  for (const byte of randomBytes(length)) text += alphabet[byte % 32];
  return text;
}
