// What Envoy's RBAC filter makes of a request: the matcher that Envoy is sent, run here.

import { type DescMessage, fromBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { ActionSchema, RBAC_Action } from '../gen/proto/envoy/config/rbac/v3/rbac_pb.ts';
import { UriSanInputSchema } from '../gen/proto/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb.ts';
import { HttpRequestHeaderMatchInputSchema } from '../gen/proto/envoy/type/matcher/v3/http_inputs_pb.ts';
import type {
  Matcher,
  Matcher_MatcherList_Predicate,
  Matcher_MatcherList_Predicate_SinglePredicate,
  Matcher_OnMatch,
} from '../gen/proto/xds/type/matcher/v3/matcher_pb.ts';
import type { StringMatcher } from '../gen/proto/xds/type/matcher/v3/string_pb.ts';

/** The parts of a request that RBAC matchers look at. */
export interface MatcherInput {
  /** The URI of the peer's certificate; undefined when it showed none. */
  readonly principal: string | undefined;
  readonly method: string;
  readonly path: string;
}

export interface MatcherOutcome {
  readonly denied: boolean;
  /** `deny:<namespace>/<policy>…`, `allow` */
  readonly action: string;
}

/** @throws Error for a matcher of a kind that the translation does not make */
export function runMatcher(matcher: Matcher, input: MatcherInput): MatcherOutcome {
  const { matcherType, onNoMatch } = matcher;
  if (matcherType.case === 'matcherList') {
    for (const { predicate, onMatch } of matcherType.value.matchers)
      if (predicate !== undefined && holds(predicate, input)) return outcome(onMatch);
  } else if (matcherType.case !== undefined) {
    throw unknown(matcherType.case);
  }
  return outcome(onNoMatch);
}

/** A matcher without an action denies (envoy.extensions.filters.http.rbac.v3.RBAC). */
function outcome(onMatch: Matcher_OnMatch | undefined): MatcherOutcome {
  if (onMatch === undefined) return { denied: true, action: 'deny' };
  const { case: kind, value } = onMatch.onMatch;
  if (kind !== 'action' || value.typedConfig === undefined) throw unknown(kind);
  const { name, action } = unpack(value.typedConfig, ActionSchema);
  return { denied: action !== RBAC_Action.ALLOW, action: name };
}

function holds({ matchType }: Matcher_MatcherList_Predicate, input: MatcherInput): boolean {
  switch (matchType.case) {
    case 'singlePredicate':
      return holdsSingle(matchType.value, input);
    case 'orMatcher':
      return matchType.value.predicate.some((each) => holds(each, input));
    case 'andMatcher':
      return matchType.value.predicate.every((each) => holds(each, input));
    case 'notMatcher':
      return !holds(matchType.value, input);
    default:
      throw unknown(matchType.case);
  }
}

function holdsSingle(predicate: Matcher_MatcherList_Predicate_SinglePredicate, input: MatcherInput): boolean {
  const { matcher } = predicate;
  const config = predicate.input?.typedConfig;
  if (matcher.case !== 'valueMatch' || config === undefined) throw unknown(matcher.case);
  const value = inputOf(config, input);
  // What is not there matches nothing, not even the empty text.
  return value !== undefined && matchesText(matcher.value, value);
}

function inputOf(config: Any, { principal, method, path }: MatcherInput): string | undefined {
  if (isOf(config, UriSanInputSchema)) return principal;
  const { headerName } = unpack(config, HttpRequestHeaderMatchInputSchema);
  if (headerName === ':method') return method;
  if (headerName === ':path') return path;
  throw unknown(headerName);
}

function matchesText({ matchPattern, ignoreCase }: StringMatcher, value: string): boolean {
  if (ignoreCase) throw unknown('ignoreCase');
  switch (matchPattern.case) {
    case 'exact':
      return value === matchPattern.value;
    case 'prefix':
      return value.startsWith(matchPattern.value);
    case 'safeRegex':
      // Envoy demands that the whole value matches.
      return new RegExp(`^(?:${matchPattern.value.regex})$`, 's').test(value);
    default:
      throw unknown(matchPattern.case);
  }
}

function isOf(config: Any, schema: DescMessage): boolean {
  return config.typeUrl.endsWith(`/${schema.typeName}`);
}

function unpack<Desc extends DescMessage>(config: Any, schema: Desc) {
  if (!isOf(config, schema)) throw unknown(config.typeUrl);
  return fromBinary(schema, config.value);
}

function unknown(what: string | undefined): Error {
  return new Error(`the configuration of Envoy holds a matcher that explain does not know: ${what}`);
}
