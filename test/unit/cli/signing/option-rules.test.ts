import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { registerAttest } from '../../../../src/cli/commands/attest.ts';
import { registerSign } from '../../../../src/cli/commands/sign.ts';
import { registerSignBlob } from '../../../../src/cli/commands/sign-blob.ts';
import { registerVerify } from '../../../../src/cli/commands/verify.ts';
import { registerVerifyAttestation } from '../../../../src/cli/commands/verify-attestation.ts';
import { checkOptions, signingRules, verificationRules } from '../../../../src/cli/signing/option-rules.ts';
import { expectFailure, trellis } from '../commands/support.ts';

const image = 'registry.invalid/app:1';
/** None of these files exists: no rule waits until one was read. */
const keyless = ['--keyless', '--trusted-root', 'root.json'];
const identity = ['--certificate-identity', 'me', '--certificate-oidc-issuer', 'https://issuer.example'];

describe.each([['sign'], ['attest']])('%s refuses', (name) => {
  const rest = name === 'attest' ? ['--type', 'spdx', '--predicate', 'missing.json', image] : [image];
  test.each([
    [['--key', 'k', '--fulcio-url', 'https://f.example'], '--fulcio-url', '--keyless'],
    [['--key', 'k', '--rekor-url', 'https://r.example'], '--rekor-url', '--keyless'],
    [['--key', 'k', '--identity-token', 't'], '--identity-token', '--keyless'],
    [['--key', 'k', '--no-log'], '--no-log', '--keyless'],
    [['--key', 'k', '--trusted-root', 'r'], '--trusted-root', '--keyless or --timestamp'],
    [['--key', 'k', '--keyless'], '--keyless', '--trusted-root'],
    [[...keyless, '--no-log'], '--no-log', '--timestamp'],
    [
      [...keyless, '--no-log', '--timestamp', 'https://t.example', '--rekor-url', 'https://r.example'],
      '--rekor-url',
      '--no-log',
    ],
    [[...keyless, '--password-file', 'p'], '--password-file', '--key'],
  ])('%j', async (argv, one, other) => {
    expectFailure(await trellis(name, ...argv, ...rest), 2, new RegExp(`${one} .*${other}`));
  });
});

test('sign-blob refuses --password-file without --key', async () => {
  expectFailure(await trellis('sign-blob', '--password-file', 'p', 'f'), 2, /--password-file .*--key/);
});

describe.each([['verify'], ['verify-attestation']])('%s refuses', (name) => {
  const type = name === 'verify' ? [] : ['--type', 'spdx'];
  test.each([
    [['--key', 'k']],
    [['--bind-reference', 'none']],
    [['--trusted-root', 'missing']],
    [['--no-log']],
    [['--certificate-identity', 'x']],
    [['--certificate-identity-regexp', 'x']],
    [['--certificate-oidc-issuer', 'x']],
    [['--certificate-oidc-issuer-regexp', 'x']],
  ])('--policy beside %j', async (argv) => {
    const outcome = await trellis(name, '--policy', 'missing.yaml', ...argv, image);
    expectFailure(outcome, 2, new RegExp(`--policy and ${argv[0]} cannot be given together`));
  });

  test.each([
    [['--key', 'k', '--trusted-root', 'r'], '--trusted-root', '--certificate-identity'],
    [['--key', 'k', '--no-log'], '--no-log', '--certificate-identity'],
    [['--certificate-identity', 'x'], '--certificate-identity', '--certificate-oidc-issuer'],
    [['--certificate-oidc-issuer', 'x'], '--certificate-oidc-issuer', '--certificate-identity'],
    [[...identity], '--certificate-identity', '--trusted-root'],
    [
      [...identity, '--certificate-identity-regexp', 'x', '--trusted-root', 'r'],
      '--certificate-identity',
      '--certificate-identity-regexp',
    ],
    [
      [...identity, '--certificate-oidc-issuer-regexp', 'x', '--trusted-root', 'r'],
      '--certificate-oidc-issuer',
      '--certificate-oidc-issuer-regexp',
    ],
  ])('%j', async (argv, one, other) => {
    expectFailure(await trellis(name, ...type, ...argv, image), 2, new RegExp(`${one} .*${other}`));
  });
});

test('verify refuses --policy beside --annotation, verify-attestation beside --type and --condition', async () => {
  const both = (other: string) => new RegExp(`--policy and ${other} cannot`);
  const policy = ['--policy', 'missing.yaml'];
  expectFailure(await trellis('verify', ...policy, '-a', 'a=b', image), 2, both('--annotation'));
  const attestation = ['verify-attestation', ...policy];
  expectFailure(await trellis(...attestation, '--type', 'spdx', image), 2, both('--type'));
  expectFailure(await trellis(...attestation, '--condition', 'true', image), 2, both('--condition'));
  const condition = ['--condition', 'true', '--key', 'k', image];
  expectFailure(await trellis('verify-attestation', ...condition), 2, /--condition .*--type/);
});

test('what belongs together passes', () => {
  const program = new Command();
  for (const register of [registerSign, registerAttest, registerSignBlob, registerVerify]) register(program);
  registerVerifyAttestation(program);
  const check = (name: string, argv: readonly string[], rules: typeof signingRules) => {
    const command = program.commands.find((each) => each.name() === name);
    if (command === undefined) throw new Error(name);
    command.parseOptions([...argv]);
    checkOptions(command, rules);
  };
  check('sign', [...keyless, '--fulcio-url', 'f', '--rekor-url', 'r', '--identity-token', 't'], signingRules);
  check('attest', ['--key', 'k', '--timestamp', 't', '--trusted-root', 'r'], signingRules);
  check('sign-blob', ['--key', 'k', '--password-file', 'p'], signingRules);
  check('verify', [...identity, '--trusted-root', 'r', '--no-log', '--key', 'k'], verificationRules);
  check('verify-attestation', ['--policy', 'p'], verificationRules);
});

test('every option of a rule is an option of some command', () => {
  const program = new Command();
  for (const register of [registerSign, registerVerify, registerVerifyAttestation]) register(program);
  const known = new Set(program.commands.flatMap(({ options }) => options.map(({ long }) => long)));
  for (const { option, needs = [], excludes = [] } of [...signingRules, ...verificationRules])
    for (const each of [option, ...needs, ...excludes]) expect(known).toContain(each);
});
