import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly ca: string;
  /** A certificate for 127.0.0.1 and localhost, for servers and clients alike. */
  issue(name: string): Certificate;
}

/** A certificate authority of its own in an empty directory, made by openssl. */
export function createAuthority(directory: string): Authority {
  const path = (file: string) => join(directory, file);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  writeFileSync(path('extensions'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  return {
    ca: path('ca.pem'),
    issue(name) {
      openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'extensions'];
      openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signing);
      return { cert: path(`${name}.pem`), key: path(`${name}.key`) };
    },
  };
}
