/* 3x3 convolutions of bfloat16 maps by Winograd's minimal filtering F(4x4, 3x3): 36 products in place of 144 for each 4x4 tile of the
   output (Lavin and Gray 2015, arXiv:1509.09308, section 4). Stride 1, a border of one zero all around.

       y = A' [(G g G') * (B' d B)] A       d: 6x6 window of the input, g: the 3x3 filter, y: 4x4 tile of the output, * by elements

   B, G and A come from polynomials through the points 0, a, -a, b, -b and infinity. The usual 1 and 2 make rounding errors 13 times those
   of a plain convolution in bfloat16; 5/8 and 3/2, the best of some simple fractions, 5 times. (F(2x2, 3x3), with 64 products, twice.)

   For each of the 36 places of the windows the products over all channels and tiles are one matrix product. Its factors are rounded
   to bfloat16, its sums are float32, and they are never written out for more than a few tiles: that is what makes it fast.

   Maps lie as (image, row, column, channel), channels are multiples of 32. A block of TILES tiles stays in the second-level cache. */

#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <omp.h>

#ifndef __AVX512BF16__
#error "needs the dot products of bfloat16 of AVX-512"
#endif

#define INLINE static inline __attribute__((always_inline))
#define SIDE 4      /* of a tile */
#define WIDE 6      /* of its window */
#define PLACES 36
#define ROWS 6      /* of the output that a product holds in registers: 6 rows of 4 registers are 24 of the 32 registers */
#define MOST 4      /* registers in a row of a product */
#define TILES 24    /* a multiple of ROWS: 36 places of 24 tiles of 256 channels are 442 kB */
#define DEPTH 128   /* pairs of tiles that are summed before the sums go back to memory */
#define LINE 64     /* bytes; added between places, which would else share a few sets of the first cache */

typedef uint16_t bfloat16;
typedef uint32_t pair;  /* two bfloat16, the first in the low half: what one dot product multiplies and adds */
typedef __m512 vector;  /* 16 numbers */

INLINE vector read(const bfloat16 *p) { return (vector)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16); }
INLINE __m256i rounded(vector v) { return (__m256i)_mm512_cvtneps_pbh(v); }
INLINE void write(bfloat16 *p, vector v) { _mm256_storeu_si256((void *)p, rounded(v)); }
INLINE void write_pairs(pair *p, vector low, vector high)
{
    __m512i a = _mm512_cvtepu16_epi32(rounded(low)), b = _mm512_cvtepu16_epi32(rounded(high));
    _mm512_storeu_si512(p, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
}
INLINE vector dot(vector sum, __m512i a, __m512i b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

/* The maps of a batch, cut into tiles. */
typedef struct { int64_t images, height, width, down, across, tiles; } Maps;

static Maps maps_of(int64_t images, int64_t height, int64_t width)
{
    int64_t down = (height + SIDE - 1) / SIDE, across = (width + SIDE - 1) / SIDE;
    return (Maps){images, height, width, down, across, images * down * across};
}

static const bfloat16 zeros[8192]; /* channels at most */

/* Where the pixels of a tile's window lie, (side, side) of them; `outside` for those beyond the map, and for tiles beyond the last. */
INLINE void window(const Maps *m, bfloat16 *map, int64_t channels, int64_t tile, int margin, int side, bfloat16 *outside, bfloat16 **pixels)
{
    const int64_t column = tile % m->across, row = tile / m->across % m->down, image = tile / m->across / m->down;
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            const int64_t y = SIDE * row - margin + i, x = SIDE * column - margin + j;
            const int inside = tile < m->tiles && y >= 0 && y < m->height && x >= 0 && x < m->width;
            pixels[side * i + j] = inside ? map + ((image * m->height + y) * m->width + x) * channels : outside;
        }
}

#define P 0.625f /* the points a and b */
#define Q 1.5f
#define P2 (P * P)
#define Q2 (Q * Q)
#define NUMBER(x) _mm512_set1_ps(x)

/* B' d of six numbers, each `step` after the one before. */
INLINE void input_line(const vector *d, int step, vector *out, int apart)
{
    const vector d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    const vector even_p = d4 - NUMBER(Q2) * d2, odd_p = NUMBER(P) * (d3 - NUMBER(Q2) * d1);
    const vector even_q = d4 - NUMBER(P2) * d2, odd_q = NUMBER(Q) * (d3 - NUMBER(P2) * d1);
    out[0] = NUMBER(P2 * Q2) * d[0] - NUMBER(P2 + Q2) * d2 + d4;
    out[apart] = even_p + odd_p, out[2 * apart] = even_p - odd_p;
    out[3 * apart] = even_q + odd_q, out[4 * apart] = even_q - odd_q;
    out[5 * apart] = NUMBER(P2 * Q2) * d1 - NUMBER(P2 + Q2) * d3 + d[5 * step];
}

/* A g of four numbers. */
INLINE void gradient_line(const vector *g, int step, vector *out, int apart)
{
    const vector g0 = g[0], g1 = g[step], g2 = g[2 * step], g3 = g[3 * step];
    const vector even_p = g0 + NUMBER(P2) * g2, odd_p = NUMBER(P) * (g1 + NUMBER(P2) * g3);
    const vector even_q = g0 + NUMBER(Q2) * g2, odd_q = NUMBER(Q) * (g1 + NUMBER(Q2) * g3);
    out[0] = g0;
    out[apart] = even_p + odd_p, out[2 * apart] = even_p - odd_p;
    out[3 * apart] = even_q + odd_q, out[4 * apart] = even_q - odd_q;
    out[5 * apart] = g3;
}

/* A' m of six numbers. */
INLINE void output_line(const vector *m, int step, vector *out, int apart)
{
    const vector even_p = m[step] + m[2 * step], odd_p = NUMBER(P) * (m[step] - m[2 * step]);
    const vector even_q = m[3 * step] + m[4 * step], odd_q = NUMBER(Q) * (m[3 * step] - m[4 * step]);
    out[0] = m[0] + even_p + even_q;
    out[apart] = odd_p + odd_q;
    out[2 * apart] = NUMBER(P2) * even_p + NUMBER(Q2) * even_q;
    out[3 * apart] = NUMBER(P2) * odd_p + NUMBER(Q2) * odd_q + m[5 * step];
}

/* G g of three numbers. */
INLINE void filter_line(const vector *g, int step, vector *out, int apart)
{
    const vector g0 = g[0], g1 = g[step], g2 = g[2 * step];
    const vector by_p = NUMBER(0.5f / (P2 * (P2 - Q2))), by_q = NUMBER(0.5f / (Q2 * (Q2 - P2)));
    const vector even_p = by_p * (g0 + NUMBER(P2) * g2), odd_p = by_p * NUMBER(P) * g1;
    const vector even_q = by_q * (g0 + NUMBER(Q2) * g2), odd_q = by_q * NUMBER(Q) * g1;
    out[0] = NUMBER(1 / (P2 * Q2)) * g0;
    out[apart] = even_p + odd_p, out[2 * apart] = even_p - odd_p;
    out[3 * apart] = even_q + odd_q, out[4 * apart] = even_q - odd_q;
    out[5 * apart] = g2;
}

/* G' s of six numbers. */
INLINE void taps_line(const vector *s, int step, vector *out, int apart)
{
    const vector by_p = NUMBER(0.5f / (P2 * (P2 - Q2))), by_q = NUMBER(0.5f / (Q2 * (Q2 - P2)));
    const vector even_p = by_p * (s[step] + s[2 * step]), odd_p = by_p * (s[step] - s[2 * step]);
    const vector even_q = by_q * (s[3 * step] + s[4 * step]), odd_q = by_q * (s[3 * step] - s[4 * step]);
    out[0] = NUMBER(1 / (P2 * Q2)) * s[0] + even_p + even_q;
    out[apart] = NUMBER(P) * odd_p + NUMBER(Q) * odd_q;
    out[2 * apart] = NUMBER(P2) * even_p + NUMBER(Q2) * even_q + s[5 * step];
}

/* B' d B of a window, channels c to c + 15. */
INLINE void spread_input(bfloat16 *const *d, int64_t c, vector *out)
{
    vector t[PLACES], column[WIDE];
    for (int j = 0; j < WIDE; j++) {
        for (int i = 0; i < WIDE; i++) column[i] = read(d[WIDE * i + j] + c);
        input_line(column, 1, t + j, WIDE);
    }
    for (int i = 0; i < WIDE; i++) input_line(t + WIDE * i, 1, out + WIDE * i, 1);
}

/* A g A' of a tile of the output's gradient. */
INLINE void spread_gradient(bfloat16 *const *g, int64_t c, vector *out)
{
    vector t[WIDE * SIDE], column[SIDE];
    for (int j = 0; j < SIDE; j++) {
        for (int i = 0; i < SIDE; i++) column[i] = read(g[SIDE * i + j] + c);
        gradient_line(column, 1, t + j, SIDE);
    }
    for (int i = 0; i < WIDE; i++) gradient_line(t + SIDE * i, 1, out + WIDE * i, 1);
}

/* G g G' of a filter's nine taps, each `step` numbers after the one before; from the last to the first where `turned`. */
INLINE void spread_filter(const float *taps, int64_t step, int turned, vector *out)
{
    vector g[9], t[WIDE * 3];
    for (int i = 0; i < 9; i++) g[i] = _mm512_loadu_ps(taps + (turned ? 8 - i : i) * step);
    for (int j = 0; j < 3; j++) filter_line(g + j, 3, t + j, 3);
    for (int i = 0; i < WIDE; i++) filter_line(t + 3 * i, 1, out + WIDE * i, 1);
}

INLINE int64_t columns_of(int64_t channels) { return channels % 64 ? 32 : 64; }

/* Taps (9, from, to) -> (36, to / columns, from / 2, columns) pairs, as `convolve` reads them. */
static void filters(const float *taps, pair *u, int64_t from, int64_t to, int turned, int threads)
{
    const int64_t columns = columns_of(to), step = from * to;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t c = 0; c < from; c += 2)
        for (int64_t k = 0; k < to; k += 16) {
            vector low[PLACES], high[PLACES];
            spread_filter(taps + c * to + k, step, turned, low);
            spread_filter(taps + (c + 1) * to + k, step, turned, high);
            for (int p = 0; p < PLACES; p++)
                write_pairs(u + ((p * (to / columns) + k / columns) * (from / 2) + c / 2) * columns + k % columns, low[p], high[p]);
        }
}

/* ROWS tiles (ROWS, from) times (from / 2, 16 * n) pairs, for one place. */
INLINE void product(const bfloat16 *restrict v, const pair *restrict u, float *restrict out, int64_t from, const int n)
{
    vector sum[ROWS][MOST];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < n; j++) sum[i][j] = _mm512_setzero_ps();
    for (int64_t c = 0; c < from; c += 2, u += 16 * n) {
        __m512i right[MOST];
        for (int j = 0; j < n; j++) right[j] = _mm512_loadu_si512(u + 16 * j);
        for (int i = 0; i < ROWS; i++) {
            pair left;
            memcpy(&left, v + i * from + c, sizeof left);
            for (int j = 0; j < n; j++) sum[i][j] = dot(sum[i][j], _mm512_set1_epi32(left), right[j]);
        }
    }
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < n; j++) _mm512_storeu_ps(out + 16 * (i * n + j), sum[i][j]);
}

/* A' m A of one tile, `columns` channels of it, into the pixels of the output. */
INLINE void gather(const float *restrict m, int64_t step, bfloat16 *const *y, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += 16) {
        vector t[SIDE * WIDE], column[WIDE], out[SIDE];
        for (int j = 0; j < WIDE; j++) {
            for (int i = 0; i < WIDE; i++) column[i] = _mm512_loadu_ps(m + (WIDE * i + j) * step + c);
            output_line(column, 1, t + j, WIDE);
        }
        for (int i = 0; i < SIDE; i++) {
            output_line(t + WIDE * i, 1, out, 1);
            for (int j = 0; j < SIDE; j++) write(y[SIDE * i + j] + c, out[j]);
        }
    }
}

/* A block of tiles, whose windows are spread in v, for `columns` = 16 n channels of the output from `first` on. */
INLINE void outputs(const Maps *m, const bfloat16 *v, int64_t apart, const pair *u, int64_t every, bfloat16 *y, int64_t begin, int64_t first,
                    int64_t from, int64_t to, const int n)
{
    const int64_t columns = 16 * n, step = ROWS * columns + LINE / 4;
    float sums[PLACES * (ROWS * 16 * MOST + LINE / 4)];
    bfloat16 nowhere[16 * MOST], *pixels[SIDE * SIDE];
    for (int64_t row = 0; row < TILES && begin + row < m->tiles; row += ROWS) {
        for (int p = 0; p < PLACES; p++) product(v + p * apart + row * from, u + p * every, sums + p * step, from, n);
        for (int64_t i = 0; i < ROWS && begin + row + i < m->tiles; i++) {
            window(m, y + first, to, begin + row + i, 0, SIDE, nowhere, pixels);
            gather(sums + i * columns, step, pixels, columns);
        }
    }
}

/* The convolution of maps x (images, height, width, from) with spread filters: y (images, height, width, to).
   room: for each thread PLACES * (TILES * from + LINE / 2) bfloat16. */
static void convolve(bfloat16 *x, const pair *u, bfloat16 *y, int64_t images, int64_t height, int64_t width, int64_t from, int64_t to, bfloat16 *room,
              int threads)
{
    const Maps m = maps_of(images, height, width);
    const int64_t apart = TILES * from + LINE / 2, columns = columns_of(to), size = from / 2 * columns;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t begin = 0; begin < m.tiles; begin += TILES) {
        bfloat16 *v = room + PLACES * apart * omp_get_thread_num(), *pixels[PLACES];
        for (int64_t i = 0; i < TILES; i++) {
            window(&m, x, from, begin + i, 1, WIDE, (bfloat16 *)zeros, pixels);
            for (int64_t c = 0; c < from; c += 16) {
                vector out[PLACES];
                spread_input(pixels, c, out);
                for (int p = 0; p < PLACES; p++) write(v + p * apart + i * from + c, out[p]);
            }
        }
        for (int64_t k = 0; k < to; k += columns) {
            const pair *here = u + k / columns * size;
            if (columns == 64) outputs(&m, v, apart, here, to / columns * size, y, begin, k, from, to, 4);
            else outputs(&m, v, apart, here, to / columns * size, y, begin, k, from, to, 2);
        }
    }
}

/* `rows` rows and 16 n columns of the sums over pairs of tiles: sums (., to) = v (pairs, from)' w (pairs, to), or += where `more`. */
INLINE void add_products(const pair *restrict v, int64_t from, const pair *restrict w, int64_t to, float *restrict sums, int64_t pairs,
                         int more, const int rows, const int n)
{
    vector sum[ROWS][MOST];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < n; j++) sum[i][j] = more ? _mm512_loadu_ps(sums + i * to + 16 * j) : _mm512_setzero_ps();
    for (int64_t t = 0; t < pairs; t++) {
        __m512i right[MOST];
        for (int j = 0; j < n; j++) right[j] = _mm512_loadu_si512(w + t * to + 16 * j);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < n; j++) sum[i][j] = dot(sum[i][j], _mm512_set1_epi32(v[t * from + i]), right[j]);
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < n; j++) _mm512_storeu_ps(sums + i * to + 16 * j, sum[i][j]);
}

/* All rows of 16 n columns; of channels, multiples of 16, six at a time leave 0, 2 or 4. */
INLINE void add_columns(const pair *v, int64_t from, const pair *w, int64_t to, float *sums, int64_t pairs, int more, const int n)
{
    int64_t c = 0;
    for (; c + ROWS <= from; c += ROWS) add_products(v + c, from, w, to, sums + c * to, pairs, more, ROWS, n);
    if (from - c == 4) add_products(v + c, from, w, to, sums + c * to, pairs, more, 4, n);
    if (from - c == 2) add_products(v + c, from, w, to, sums + c * to, pairs, more, 2, n);
}

/* The filters' gradient, taps (9, from, to): G' sums G of sums (36, from, to), for which there is room; x: the input, g: the output's gradient.
   v, w: room for PLACES * (pairs * from + LINE / 4) and PLACES * (pairs * to + LINE / 4) pairs. The order of the sums depends on the tiles
   only, not on `pairs` or threads. */
static void correlate(bfloat16 *x, bfloat16 *g, float *taps, float *sums, int64_t images, int64_t height, int64_t width, int64_t from, int64_t to, pair *v, pair *w,
               int64_t pairs, int threads)
{
    const Maps m = maps_of(images, height, width);
    const int64_t step_v = pairs * from + LINE / 4, step_w = pairs * to + LINE / 4, columns = columns_of(to);
#pragma omp parallel num_threads(threads)
    for (int64_t begin = 0; begin < m.tiles; begin += 2 * pairs) {
        const int64_t left = (m.tiles - begin + 1) / 2, here = left < pairs ? left : pairs;
#pragma omp for schedule(static)
        for (int64_t i = 0; i < here; i++) {
            bfloat16 *first[PLACES], *second[PLACES];
            vector low[PLACES], high[PLACES];
            window(&m, x, from, begin + 2 * i, 1, WIDE, (bfloat16 *)zeros, first);
            window(&m, x, from, begin + 2 * i + 1, 1, WIDE, (bfloat16 *)zeros, second);
            for (int64_t c = 0; c < from; c += 16) {
                spread_input(first, c, low), spread_input(second, c, high);
                for (int p = 0; p < PLACES; p++) write_pairs(v + p * step_v + i * from + c, low[p], high[p]);
            }
            window(&m, g, to, begin + 2 * i, 0, SIDE, (bfloat16 *)zeros, first);
            window(&m, g, to, begin + 2 * i + 1, 0, SIDE, (bfloat16 *)zeros, second);
            for (int64_t c = 0; c < to; c += 16) {
                spread_gradient(first, c, low), spread_gradient(second, c, high);
                for (int p = 0; p < PLACES; p++) write_pairs(w + p * step_w + i * to + c, low[p], high[p]);
            }
        }
#pragma omp for schedule(static) collapse(2)
        for (int p = 0; p < PLACES; p++)
            for (int64_t k = 0; k < to; k += columns)
                for (int64_t t = 0; t < here; t += DEPTH) {
                    const int64_t depth = here - t < DEPTH ? here - t : DEPTH, more = begin + t;
                    const pair *left_of = v + p * step_v + t * from, *right_of = w + p * step_w + t * to + k;
                    float *at = sums + p * from * to + k;
                    if (columns == 64) add_columns(left_of, from, right_of, to, at, depth, more > 0, 4);
                    else add_columns(left_of, from, right_of, to, at, depth, more > 0, 2);
                }
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < from * to; i += 16) {
        vector s[PLACES], t[3 * WIDE], out[9];
        for (int p = 0; p < PLACES; p++) s[p] = _mm512_loadu_ps(sums + p * from * to + i);
        for (int j = 0; j < WIDE; j++) taps_line(s + j, WIDE, t + j, WIDE);
        for (int j = 0; j < 3; j++) taps_line(t + WIDE * j, 1, out + 3 * j, 1);
        for (int p = 0; p < 9; p++) _mm512_storeu_ps(taps + p * from * to + i, out[p]);
    }
}

CALLABLE(filters, AT(0), AT(1), N(2), N(3), N(4), N(5))
CALLABLE(convolve, AT(0), AT(1), AT(2), N(3), N(4), N(5), N(6), N(7), AT(8), N(9))
CALLABLE(correlate, AT(0), AT(1), AT(2), AT(3), N(4), N(5), N(6), N(7), N(8), AT(9), AT(10), N(11), N(12))
