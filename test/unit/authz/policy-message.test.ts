import { create, type Message, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { AuthzError } from '../../../src/authz/errors.ts';
import { decodeAuthorization } from '../../../src/authz/policy-message.ts';
import {
  type WorkloadAuthorization,
  WorkloadAuthorizationSchema,
} from '../../../src/gen/proto/trellis/authz/v1/authorization_pb.ts';

type Init = Extract<MessageInitShape<typeof WorkloadAuthorizationSchema>, { $typeName?: never }>;
type RuleInit = NonNullable<NonNullable<Init['requirements']>[number]['rules']>[number];

const workload = 'spiffe://mesh.example/ns/shop/sa/orders';

function bytes(init: Init): Uint8Array {
  return toBinary(WorkloadAuthorizationSchema, create(WorkloadAuthorizationSchema, { workload, ...init }));
}

function withRule(rule: RuleInit): Uint8Array {
  return bytes({ requirements: [{ policy: 'shop/orders', rules: [rule] }] });
}

describe('the resource of a workload', () => {
  test('becomes its policy: what is empty in it is absent', () => {
    const policy = decodeAuthorization(
      bytes({
        requirements: [
          {
            policy: 'shop/orders',
            rules: [
              { principals: ['*'] },
              {
                principals: [workload, 'spiffe://mesh.example/*', 'spiffe://mesh.example/ns/shop/*'],
                to: [{ ports: [1, 65535] }, { methods: ['GET'], paths: ['/', '/a/**', '/*.b/~!'] }],
                token: { types: ['JWT-SVID', 'ML-DSA'], audiences: ['a'], subjects: ['*'] },
                condition: 'true',
              },
              { principals: ['*'], token: {} },
            ],
          },
          { policy: 'trellis-system/closed' },
        ],
        shadowRequirements: [{ policy: 'shop/watch', rules: [] }],
        hybridPolicies: ['shop/hybrid'],
        quarantined: [workload],
      }),
    );
    expect(policy).toEqual({
      workload,
      requirements: [
        {
          policy: 'shop/orders',
          rules: [
            { from: [{ principals: ['*'] }] },
            {
              from: [
                { principals: [workload, 'spiffe://mesh.example/*', 'spiffe://mesh.example/ns/shop/*'] },
              ],
              to: [{ ports: [1, 65535] }, { methods: ['GET'], paths: ['/', '/a/**', '/*.b/~!'] }],
              token: { types: ['JWT-SVID', 'ML-DSA'], audiences: ['a'], subjects: ['*'] },
              condition: 'true',
            },
            { from: [{ principals: ['*'] }], token: {} },
          ],
        },
        { policy: 'trellis-system/closed', rules: [] },
      ],
      shadowRequirements: [{ policy: 'shop/watch', rules: [] }],
      hybridPolicies: ['shop/hybrid'],
      quarantined: [workload],
    });
  });

  const good = { principals: ['*'] };
  test.each<[string, Uint8Array]>([
    ['no message', Buffer.from('ff', 'hex')],
    ['no workload', bytes({ workload: '' })],
    ['a workload that is a trust domain', bytes({ workload: 'spiffe://mesh.example' })],
    ['a policy without a namespace', bytes({ requirements: [{ policy: 'orders' }] })],
    ['a policy whose name would end its reason', bytes({ requirements: [{ policy: 'shop/orders:rule-1' }] })],
    ['a hybrid policy without a name', bytes({ hybridPolicies: [''] })],
    ['somebody in quarantine who is nobody', bytes({ quarantined: ['cart'] })],
    ['a rule without principals', withRule({})],
    ['an empty principal', withRule({ principals: [''] })],
    ['a principal that is no SPIFFE ID', withRule({ principals: ['https://mesh.example/ns/a'] })],
    ['a star within a principal', withRule({ principals: ['spiffe://mesh.example/ns/*/sa/a'] })],
    ['a star that is no segment', withRule({ principals: ['spiffe://mesh.example/ns/a*'] })],
    ['a prefix of everything', withRule({ principals: ['/*'] })],
    ['a principal that is a trust domain', withRule({ principals: ['spiffe://mesh.example'] })],
    ['an operation that says nothing', withRule({ ...good, to: [{}] })],
    ['port 0', withRule({ ...good, to: [{ ports: [0] }] })],
    ['port 65536', withRule({ ...good, to: [{ ports: [65536] }] })],
    ['a method that nobody knows', withRule({ ...good, to: [{ methods: ['CONNECT'] }] })],
    ['a path that does not begin', withRule({ ...good, to: [{ paths: ['a'] }] })],
    ['a path with a query', withRule({ ...good, to: [{ paths: ['/a?b'] }] })],
    ['a path that is long', withRule({ ...good, to: [{ paths: [`/${'a'.repeat(1024)}`] }] })],
    ['a token of another type', withRule({ ...good, token: { types: ['SAML'] } })],
    ['an empty audience', withRule({ ...good, token: { audiences: [''] } })],
    ['a subject that is no SPIFFE ID', withRule({ ...good, token: { subjects: ['root'] } })],
    ['a condition that is long', withRule({ ...good, condition: 'x'.repeat(4097) })],
  ])('is refused with %s', (_name, resource) => {
    expect(() => decodeAuthorization(resource)).toThrow(AuthzError);
    expect(() => decodeAuthorization(resource)).toThrow(
      expect.objectContaining({ code: 'ERR_AUTHZ_POLICY' }),
    );
  });

  test.each<[string, (message: WorkloadAuthorization) => Message | undefined]>([
    ['the policy', (message) => message],
    ['a requirement', (message) => message.requirements[0]],
    ['a requirement in audit', (message) => message.shadowRequirements[0]],
    ['a rule', (message) => message.requirements[0]?.rules[0]],
    ['an operation', (message) => message.requirements[0]?.rules[0]?.to[0]],
    ['a token', (message) => message.requirements[0]?.rules[0]?.token],
  ])('is refused with a field in %s that this version does not know', (_name, part) => {
    const message = create(WorkloadAuthorizationSchema, {
      workload,
      requirements: [{ policy: 'a/b', rules: [{ ...good, to: [{ ports: [1] }], token: {} }] }],
      shadowRequirements: [{ policy: 'a/b' }],
    });
    const encoded = () => toBinary(WorkloadAuthorizationSchema, message);
    expect(() => decodeAuthorization(encoded())).not.toThrow();
    const changed = part(message);
    if (changed !== undefined) changed.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }];
    expect(() => decodeAuthorization(encoded())).toThrow('this version does not know');
  });
});
