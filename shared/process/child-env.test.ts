import assert from 'node:assert/strict';
import { test } from 'node:test';
import { childEnv } from './child-env.ts';

const own = {
  HOME: '/home/a',
  LOGNAME: 'a',
  PATH: '/bin',
  SHELL: '/bin/sh',
  TERM: 'xterm',
  USER: 'a',
  TMPDIR: '/tmp',
  LANG: 'C.UTF-8',
  LC_ALL: 'C',
  TOOLBUS_SECRET: 'canary',
  NATS_URL: 'nats://canary',
  NODE_OPTIONS: '--require canary',
  HTTPS_PROXY: 'http://canary',
};

test('pin - a child inherits exactly these variables of ours', () => {
  assert.deepEqual(
    { ...childEnv({}, own, 'linux') },
    {
      HOME: '/home/a',
      LOGNAME: 'a',
      PATH: '/bin',
      SHELL: '/bin/sh',
      TERM: 'xterm',
      USER: 'a',
      TMPDIR: '/tmp',
      LANG: 'C.UTF-8',
    },
  );
});

test('pin - on Windows a child inherits exactly these names', () => {
  const everything = new Proxy({}, { get: () => 'x' });
  assert.deepEqual(Object.keys(childEnv({}, everything, 'win32')).sort(), [
    'APPDATA',
    'HOMEDRIVE',
    'HOMEPATH',
    'LOCALAPPDATA',
    'PATH',
    'PROCESSOR_ARCHITECTURE',
    'PROGRAMFILES',
    'SYSTEMDRIVE',
    'SYSTEMROOT',
    'TEMP',
    'USERNAME',
    'USERPROFILE',
  ]);
});

test('child environment - configured variables are added and win', () => {
  assert.deepEqual(
    { ...childEnv({ PATH: '/opt/bin', TOKEN: 't' }, { PATH: '/bin', X: '1' }, 'linux') },
    {
      PATH: '/opt/bin',
      TOKEN: 't',
    },
  );
});

test('child environment - on Windows a configured Path replaces PATH', () => {
  assert.deepEqual({ ...childEnv({ Path: 'D:\\' }, { PATH: 'C:\\' }, 'win32') }, { Path: 'D:\\' });
});

test('child environment - an exported shell function is left out', () => {
  assert.deepEqual({ ...childEnv({}, { TERM: '() { :; }; id' }, 'linux') }, {});
});

test('child environment - a variable called __proto__ is a variable', () => {
  const env = childEnv(JSON.parse('{"__proto__": "x"}'), {}, 'linux');
  assert.deepEqual(Object.keys(env), ['__proto__']);
});
