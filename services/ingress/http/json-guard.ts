import { isUtf8 } from 'node:buffer';
import { isJsonObject } from '../../../shared/mcp/json.ts';
import type { RequestId } from '../../../shared/mcp/json-rpc.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';

/** What a body may hold besides its size: `limits` of the configuration. */
export interface JsonBounds {
  readonly jsonDepth: number;
  /** Members of all objects together. */
  readonly jsonKeys: number;
  /** Characters of one string as JSON writes it; undefined: as long as the body may be. */
  readonly stringLength?: number | undefined;
}

/** A body as JSON, or why it is refused with HTTP 400. */
export type GuardedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: number; readonly message: string };

/**
 * Parses a request body that nobody has checked yet. Refused: text that is not UTF-8 or not JSON (-32700); what is beyond `bounds`, a
 * member named twice in one object, members that reach a prototype, and numbers that JSON cannot write again (-32600). What passes
 * means the same to every JSON reader behind us.
 */
export function parseGuarded(bytes: Buffer, bounds: JsonBounds): GuardedJson {
  if (!isUtf8(bytes)) return notJson('the body is not UTF-8');
  const text = bytes.toString('utf8');
  const keys = countKeys(text, bounds);
  if (typeof keys === 'string') return invalid(keys);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return notJson('the body is not JSON');
  }
  const tally: Tally = { keys: 0, why: undefined, huge: false };
  visit(value, tally);
  if (tally.huge && hasLongInteger(text)) return invalid('an integer has more than 21 digits');
  if (tally.why !== undefined) return invalid(tally.why);
  // JSON.parse keeps one of two equal members, so a lost member is a duplicate, however its name was escaped.
  if (tally.keys !== keys) return invalid('a member is given twice in one object');
  return { ok: true, value };
}

/** True for an id as MCP allows it: a string, or an integer that every JSON reader reads the same. */
export function isRequestId(id: unknown): id is RequestId {
  return typeof id === 'string' || (typeof id === 'number' && Number.isSafeInteger(id));
}

function invalid(message: string): GuardedJson {
  return { ok: false, code: rpcCode.invalidRequest, message: `Invalid request: ${message}` };
}

function notJson(message: string): GuardedJson {
  return { ok: false, code: rpcCode.parseError, message: `Parse error: ${message}` };
}

const quote = 0x22;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Members of all objects, or why the text is refused. Runs before JSON.parse because that takes any depth, and what
 * writes JSON later does not. Of text that is not JSON the count means nothing.
 */
function countKeys(text: string, { jsonDepth, jsonKeys, stringLength = text.length }: JsonBounds): number | string {
  let depth = 0;
  let keys = 0;
  let end = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case quote:
        end = endOfString(text, at);
        if (end === -1) return keys;
        if (end - at - 1 > stringLength) return `a string is longer than ${stringLength}`;
        at = end;
        break;
      case colon:
        keys += 1;
        if (keys > jsonKeys) return `more than ${jsonKeys} members`;
        break;
      case openBrace:
      case openBracket:
        depth += 1;
        if (depth > jsonDepth) return `nested deeper than ${jsonDepth}`;
        break;
      case closeBrace:
      case closeBracket:
        depth -= 1;
        break;
      default:
        break;
    }
  }
  return keys;
}

/** Index of the quote that ends the string begun at `start`, or -1. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (before > start && text.charCodeAt(before) === backslash) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return -1;
}

interface Tally {
  /** A number so large that it is written with an exponent again. */
  huge: boolean;
  keys: number;
  why: string | undefined;
}

/** Counts members. Recursion ends at the depth that the text was checked for. */
function visit(value: unknown, tally: Tally): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) tally.why = 'a number is too large';
    if (value >= 1e21 || value <= -1e21) tally.huge = true;
    return;
  }
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item === 'object' || typeof item === 'number') visit(item, tally);
    }
    return;
  }
  if (!isJsonObject(value)) return;
  for (const key of Object.keys(value)) {
    const member = value[key];
    tally.keys += 1;
    if (key === '__proto__') tally.why = 'a member is named __proto__';
    if (key === 'constructor' && isJsonObject(member) && Object.hasOwn(member, 'prototype')) {
      tally.why = 'a member is named constructor.prototype';
    }
    if (typeof member === 'object' || typeof member === 'number') visit(member, tally);
  }
}

/** True for an integer written out with so many digits that another one would be written in its place. */
function hasLongInteger(text: string): boolean {
  return /(?<![\d.eE+])\d{22,}(?![\d.eE])/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, '""'));
}
