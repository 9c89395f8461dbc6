// Events of events.k8s.io/v1 about what admission found.

import type { Enforcement } from '../../policy/enforcement.ts';
import { microTime } from '../../sources/kubernetes/lease/lease-record.ts';
import type { AdmissionDecision, Finding } from '../decision.ts';
import { boundedSentences, boundedText } from '../shorten.ts';
import type { EventSubject } from './event-subject.ts';

/** What an Event says, however often it happens. */
export interface EventText {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

/** How often it happened by now, when first and when last. */
export interface Occurrences {
  readonly count: number;
  readonly first: Date;
  readonly last: Date;
}

/** The API server refuses a longer `note`, counted in bytes. */
const maxNoteBytes = 1024;
/** … and a longer `reportingInstance`. */
const maxInstanceBytes = 128;

const kinds: readonly (readonly [Enforcement, Omit<EventText, 'note'>])[] = [
  ['enforce', { type: 'Warning', reason: 'AdmissionDenied' }],
  ['warn', { type: 'Warning', reason: 'AdmissionWarned' }],
  ['audit', { type: 'Normal', reason: 'AdmissionAudited' }],
];

/** One for each enforcement; of what is denied, only why: nothing came of the rest. */
export function eventTexts({ allowed, findings }: AdmissionDecision): readonly EventText[] {
  const said = kinds.flatMap(([enforcement, kind]) => {
    const messages = findings.filter((finding) => finding.enforcement === enforcement).map(messageOf);
    // Several policies may have the same to say.
    const distinct = [...new Set(messages)];
    return distinct.length === 0 ? [] : [{ ...kind, note: boundedSentences(distinct, maxNoteBytes) }];
  });
  return allowed ? said : said.slice(0, 1);
}

function messageOf({ message }: Finding): string {
  return message;
}

export interface EventFields {
  readonly name: string;
  readonly subject: EventSubject;
  readonly text: EventText;
  readonly occurrences: Occurrences;
  /** Who says so, such as the name of a pod. */
  readonly instance: string;
}

export function encodeEvent({ name, subject, text, occurrences, instance }: EventFields): object {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace: subject.namespace },
    eventTime: microTime(occurrences.first),
    ...encodeSeries(occurrences),
    reportingController: 'trellis.quantum.io/admission',
    reportingInstance: boundedText(instance, maxInstanceBytes),
    action: 'Admission',
    regarding: subject,
    ...text,
  };
}

/** An Event that happened once has none. */
export function encodeSeries({ count, last }: Occurrences): object {
  return count < 2 ? {} : { series: { count, lastObservedTime: microTime(last) } };
}
