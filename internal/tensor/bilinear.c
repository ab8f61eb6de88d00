#include "bilinear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __GNUC__
#pragma GCC optimize("fp-contract=off") // a fused multiplication and addition rounds once instead of twice
#endif

// Where a row or column of the result is read from: two neighbours and how far it
// is from the first to the second.
struct between {
	size_t from, to;
	float at;
};

static struct between *along(size_t in, size_t out) {
	struct between *b = malloc(out * sizeof *b);
	float scale = (float)in / (float)out;
	for (size_t i = 0; b && i < out; i++) {
		float x = ((float)i + 0.5f) * scale - 0.5f, floor = floorf(x), ceiling = ceilf(x);
		b[i].from = floor > 0 ? (size_t)floor : 0;
		b[i].to = ceiling > 0 ? (size_t)ceiling : 0;
		if (b[i].to > in - 1) b[i].to = in - 1;
		b[i].at = x - floor;
	}
	return b;
}

typedef float floats __attribute__((vector_size(16)));

// four makes numbers of four bytes.
static floats four(const unsigned char *p) {
#ifdef __SSE2__ // compilers take the bytes apart otherwise
	int word;
	memcpy(&word, p, sizeof word);
	__m128i zero = _mm_setzero_si128(), words = _mm_unpacklo_epi8(_mm_cvtsi32_si128(word), zero);
	return _mm_cvtepi32_ps(_mm_unpacklo_epi16(words, zero));
#else
	return (floats){p[0], p[1], p[2], p[3]};
#endif
}

// stretch resizes one row. A pixel is computed as a vector of four, so that more
// says whether the image has another byte after the row; line has room for it.
static void stretch(const unsigned char *row, int more, const struct between *x, size_t n, float *line) {
	for (size_t i = 0; i < n && more; i++, x++, line += 3) {
		floats from = four(row + x->from * 3), to = four(row + x->to * 3);
		from += (to - from) * x->at;
		memcpy(line, &from, sizeof from);
	}
	for (size_t i = 0; i < n && !more; i++, x++, line += 3)
		for (int c = 0; c < 3; c++) {
			float from = row[x->from * 3 + c], to = row[x->to * 3 + c];
			line[c] = from + (to - from) * x->at;
		}
}

int tensor_bilinear(const unsigned char *image, size_t height, size_t width, float *into, size_t h, size_t w) {
	struct between *x = along(width, w), *y = along(height, h);
	float *lines = malloc((w * 3 + 1) * 2 * sizeof *lines);
	int done = x && y && lines;
	if (done) {
		float *line[2] = {lines, lines + w * 3 + 1};
		size_t in[2] = {height, height}; // the rows that the two lines hold
		for (size_t i = 0; i < h; i++, into += w * 3) {
			size_t need[2] = {y[i].from, y[i].to};
			if (in[1] == need[0]) { // the second row of the one before
				float *swapped = line[0];
				line[0] = line[1], line[1] = swapped;
				in[1] = in[0], in[0] = need[0];
			}
			for (int k = 0; k < 2; k++)
				if (in[k] != need[k]) stretch(image + need[k] * width * 3, need[k] + 1 < height, x, w, line[k]), in[k] = need[k];
			const float *from = line[0], *to = line[1], at = y[i].at;
			for (size_t j = 0; j < w * 3; j++) into[j] = from[j] + (to[j] - from[j]) * at;
		}
	}
	free(x), free(y), free(lines);
	return done;
}
