// AdmissionReviews like one that an API server has sent.

interface Review {
  readonly request: {
    readonly uid: string;
    readonly object: { readonly spec: { readonly containers: readonly object[] } };
  };
}

/** The same question, asked as a new one for every number. */
export type ReviewOf = (number: number) => string;

/** @param review as it was sent */
export function repeated(review: string): ReviewOf {
  return numbered(JSON.parse(review) as Review);
}

/** About a pod of one container, whose image is the one of that number. */
export function withImages(review: string, images: readonly string[]): ReviewOf {
  const parsed = JSON.parse(review) as Review;
  const { request } = parsed;
  const { object } = request;
  const [container] = object.spec.containers;
  return (number) => {
    const spec = { ...object.spec, containers: [{ ...container, image: images[number] }] };
    return numbered({ ...parsed, request: { ...request, object: { ...object, spec } } })(number);
  };
}

/** Another uid each time, and nothing to encode anew. */
function numbered(review: Review): ReviewOf {
  const place = 'the uid of this request';
  const text = JSON.stringify({ ...review, request: { ...review.request, uid: place } });
  const [before = '', after = ''] = text.split(place);
  return (number) => `${before}00000000-0000-4000-8000-${String(number).padStart(12, '0')}${after}`;
}
