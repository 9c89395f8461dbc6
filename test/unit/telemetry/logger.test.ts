import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { componentLogger, createLogger, type Logger, type LogLevel } from '../../../src/telemetry/logger.ts';

function capture(level: LogLevel = 'debug', format: 'json' | 'pretty' = 'json') {
  const lines: string[] = [];
  const logger = createLogger({ level, format, write: (line) => lines.push(line) });
  return { logger, lines };
}

/** The one line that `log` writes, as text and parsed. */
function logged(log: (logger: Logger) => void): { text: string; record: Record<string, unknown> } {
  const { logger, lines } = capture();
  log(logger);
  expect(lines).toHaveLength(1);
  const text = lines[0] ?? '';
  return { text, record: JSON.parse(text) };
}

const pem = '-----BEGIN PRIVATE KEY-----\nMDQCAQAwCwYJ\n-----END PRIVATE KEY-----\n';
const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzcGlmZmU6Ly94In0.c2lnbmF0dXJl';

describe('a JSON logger', () => {
  test('writes one line with level, time and component', () => {
    const { record, text } = logged((logger) =>
      componentLogger(logger, 'xds').info({ proxy: 'a/b' }, 'connected'),
    );
    expect(record).toMatchObject({ level: 30, component: 'xds', proxy: 'a/b', msg: 'connected' });
    expect(Date.parse(String(record['time']))).not.toBeNaN();
    expect(text.endsWith('}\n')).toBe(true);
  });

  test('writes nothing below its level', () => {
    const { logger, lines } = capture('warn');
    logger.info('quiet');
    logger.warn('loud');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('loud');
  });

  test('keeps the code and the cause of an error', () => {
    const error = Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'ERR_X' });
    const { record } = logged((logger) => logger.error({ err: error }, 'failed'));
    expect(record['err']).toMatchObject({
      type: 'Error',
      message: 'outer',
      code: 'ERR_X',
      cause: { message: 'inner' },
    });
  });
});

describe('secrets do not reach a line', () => {
  test.each([
    'key',
    'privateKey',
    'private_key',
    'x-api-key',
    'joinToken',
    'TOKEN',
    'clientKeyPEM',
    'seed',
    'Authorization',
  ])('a value named %s', (name) => {
    const { text, record } = logged((logger) =>
      logger.info({ [name]: 'hush', deep: { [name]: { a: 'hush' } } }, 'm'),
    );
    expect(text).not.toContain('hush');
    expect(record[name]).toBe('[redacted]');
  });

  test.each(['tokenId', 'keyExchange', 'keyAlgorithm', 'monkey', 'keyPath'])('%s is not a secret', (name) => {
    expect(logged((logger) => logger.info({ [name]: 'seen' })).record[name]).toBe('seen');
  });

  test('a number is not a secret', () => {
    expect(logged((logger) => logger.info({ keys: 3 })).record['keys']).toBe(3);
  });

  test.each([
    ['a private KeyObject', { k: generateKeyPairSync('ed25519').privateKey }],
    ['a secret KeyObject', { k: createSecretKey(Buffer.from('hush')) }],
  ])('%s under any name', (_, fields) => {
    expect(logged((logger) => logger.info(fields)).record['k']).toBe('[redacted]');
  });

  test('bytes are counted, not shown', () => {
    const { record } = logged((logger) =>
      logger.info({ der: Buffer.from('hush'), list: [new Uint8Array(3)] }),
    );
    expect(record).toMatchObject({ der: '[4 bytes]', list: ['[3 bytes]'] });
  });

  test('values bound to a child logger', () => {
    const { text } = logged((logger) =>
      logger.child({ token: 'hush', nested: { password: 'hush' } }).info('m'),
    );
    expect(text).not.toContain('hush');
  });

  test.each([
    ['a PEM private key', pem, 'MDQCAQAwCwYJ'],
    ['half a PEM private key', pem.slice(0, 40), 'MDQCAQAwCwYJ'],
    ['a JWT', `token ${jwt} refused`, 'c2lnbmF0dXJl'],
    ['a bearer credential', 'authorization: Bearer abcdef0123456789', 'abcdef0123456789'],
  ])('%s in a message, a value, an error or a stack', (_, text, secret) => {
    for (const line of [
      logged((logger) => logger.info(text)).text,
      logged((logger) => logger.info({ detail: text }, 'm')).text,
      logged((logger) => logger.error(new Error(text))).text,
      logged((logger) => logger.error({ err: new Error('m', { cause: new Error(text) }) })).text,
    ]) {
      expect(line).not.toContain(secret);
      expect(() => JSON.parse(line)).not.toThrow();
    }
  });

  test('properties of an error', () => {
    const error = Object.assign(new Error('m'), { token: 'hush', request: { headers: { cookie: 'hush' } } });
    expect(logged((logger) => logger.error({ err: error })).text).not.toContain('hush');
  });
});

describe('a record that cannot be logged', () => {
  test('with a cycle ends somewhere', () => {
    const loop: Record<string, unknown> = { name: 'a' };
    loop['self'] = loop;
    expect(logged((logger) => logger.info({ loop }, 'm')).record['msg']).toBe('m');
  });

  test('with a getter that throws is not worth a crash', () => {
    const trap = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('trap');
      },
    });
    expect(logged((logger) => logger.info({ trap }, 'm')).record).toMatchObject({
      unloggable: true,
      msg: 'm',
    });
  });
});

describe('a pretty logger', () => {
  function pretty(log: (logger: Logger) => void): string {
    const { logger, lines } = capture('debug', 'pretty');
    log(componentLogger(logger, 'xds'));
    return lines.join('');
  }

  test('writes time, level, component, message and fields on one line', () => {
    const line = pretty((logger) => logger.warn({ proxy: 'a/b', note: 'two words' }, 'connected'));
    expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}xds connected {2}proxy=a\/b {2}note="two words"\n$/);
  });

  test('indents the stack of an error', () => {
    const line = pretty((logger) => logger.error({ err: new Error('broken') }, 'failed'));
    expect(line.split('\n')[0]).toContain('"message":"broken"');
    expect(line.split('\n')[1]).toMatch(/^ {4}at /);
  });

  test('lets nobody write to the terminal: control characters come out as text', () => {
    const evil = '\u001b[2J\r\nfake line\u009b31m\u202e';
    const line = pretty((logger) => logger.info({ [evil]: evil }, evil));
    expect(line.match(/\n/g)).toHaveLength(1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
    expect(line.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(line).toContain('\\u001b[2J\\u000d\\u000afake line');
  });

  test('survives fields named like its own', () => {
    expect(pretty((logger) => logger.info({ time: 5, level: {}, component: 7, err: null }, 'm'))).toContain(
      ' 7 m',
    );
  });
});
