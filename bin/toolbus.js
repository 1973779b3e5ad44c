#!/usr/bin/env node
// Runs the built CLI; in a checkout that was never built it runs the TypeScript sources instead.
import { existsSync } from 'node:fs';

const built = new URL('../dist/toolbus.js', import.meta.url);
if (existsSync(built)) {
  await import(built.href);
} else {
  await import('tsx');
  await import('../services/cli/main.ts');
}
