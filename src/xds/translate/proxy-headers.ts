// Headers in which proxies talk to each other. A caller's must reach neither Envoy, which obeys some of them, nor the
// application, which would take them for its proxy's word. CGI and what descends from it reads `_` in a header name as `-`,
// so the one is no better than the other. (x-forwarded-client-cert itself is written anew by each listener.)

/** Everything that begins so. */
const prefixes = ['x-trellis', 'x_trellis', 'x-envoy', 'x_envoy'] as const;

/** Whole names, as RE2. */
const expressions = ['x_forwarded[-_]client[-_]cert', 'x-forwarded(_client[-_]|-client_)cert'] as const;

/** For Envoy; a pattern may have a RE2 program of 100 instructions, which is why there are several. */
export const proxyHeaderPatterns = [
  ...prefixes.map((value) => ({ case: 'prefix' as const, value })),
  ...expressions.map((regex) => ({ case: 'safeRegex' as const, value: { regex } })),
];

const whole = expressions.map((regex) => new RegExp(`^(?:${regex})$`));

/** @param name in lower case */
export function isProxyHeader(name: string): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix)) || whole.some((regex) => regex.test(name));
}
