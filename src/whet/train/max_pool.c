/* The largest of each 2x2 pixels of maps that lie as (image, row, column, channel), and the gradient's way back.

   As torch.nn.functional.max_pool2d(x, 2), to the bit: of equals the first, of those that are no number the last. A pixel's place among
   its four takes a byte, in torch eight, and the way back writes each number once.

   `number` and SHIFT come from max_pool.py: how a number's bits are kept, and how far they lie above those of a float32. */

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE float value(number kept)
{
    const uint32_t bits = (uint32_t)kept << SHIFT;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Channels of four pixels: `step` apart in a row, `row` apart between rows. */
static void largest(const number *restrict x, int64_t step, int64_t row, number *restrict y, uint8_t *restrict place)
{
#pragma omp simd
    for (int64_t c = 0; c < step; c++) {
        const number others[3] = {x[c + step], x[c + row], x[c + row + step]};
        number best = x[c];
        uint8_t at = 0;
        for (int i = 0; i < 3; i++) {
            const float v = value(others[i]);
            const int more = (v > value(best)) | (v != v);
            best = more ? others[i] : best;
            at = more ? i + 1 : at;
        }
        y[c] = best;
        place[c] = at;
    }
}

static void given_back(const number *restrict g, const uint8_t *restrict place, uint8_t which, number *restrict x, int64_t channels)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) x[c] = place[c] == which ? g[c] : 0;
}

/* x (images, height, width, channels) -> y and place (images, height / 2, width / 2, channels). */
static void forward(const number *x, number *y, uint8_t *place, int64_t images, int64_t height, int64_t width, int64_t channels, int threads)
{
    const int64_t down = height / 2, across = width / 2, row = width * channels;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < images * down; i++)
        for (int64_t j = 0; j < across; j++) {
            const int64_t to = (i * across + j) * channels;
            largest(x + (i / down * height + i % down * 2) * row + 2 * j * channels, channels, row, y + to, place + to);
        }
}

/* g, like y, to where it belongs in x; 0 elsewhere, a last odd row or column among it. */
static void backward(const number *g, const uint8_t *place, number *x, int64_t images, int64_t height, int64_t width, int64_t channels, int threads)
{
    const int64_t down = height / 2, across = width / 2;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < images * height; i++) {
        const int64_t from = (i / height * down + i % height / 2) * across, used = i % height / 2 < down ? 2 * across : 0;
        number *to = x + i * width * channels;
        for (int64_t j = 0; j < used; j++) {
            const int64_t pool = (from + j / 2) * channels;
            given_back(g + pool, place + pool, i % height % 2 * 2 + j % 2, to + j * channels, channels);
        }
        memset(to + used * channels, 0, (width - used) * channels * sizeof(number));
    }
}

CALLABLE(forward, AT(0), AT(1), AT(2), N(3), N(4), N(5), N(6), N(7))
CALLABLE(backward, AT(0), AT(1), AT(2), N(3), N(4), N(5), N(6), N(7))
