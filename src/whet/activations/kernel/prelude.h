/* Functions of float32 numbers that a compiler can vectorise: no branches, no calls, one table.

   Every polynomial was fitted for this file by reweighted least squares (benchmarks/kernel_fits.py) on the interval its
   comment names. Accuracy is measured against float64 in tests/activations/test_kernel.py. NaN goes in and comes out. Where a result would
   exceed the largest float, it is the largest float: an exact 0 times it is 0. */

#include <stdint.h>
#include <string.h>

/* Else gcc computes clamped numbers apart, as constants, in a loop with twice as many comparisons (3 to 6 % slower), or jumps
   over what one side of a choice does not need, and then can't vectorise (10 to 200 times as slow). */
#pragma GCC optimize("no-thread-jumps", "no-tree-pre")

#define MOST 3.40282347e+38f
#define VECTOR static inline __attribute__((always_inline))
#define LOOP static __attribute__((noinline)) int /* whether it is to be done again, see emit.py */

VECTOR int32_t bits_of(float u) { int32_t i; memcpy(&i, &u, 4); return i; }
VECTOR float float_of(int32_t i) { float u; memcpy(&u, &i, 4); return u; }

VECTOR float abs_(float u) { return float_of(bits_of(u) & 0x7fffffff); }
VECTOR float with_sign_(float size, float sign) { return float_of((bits_of(size) & 0x7fffffff) | (bits_of(sign) & (int32_t)0x80000000)); }
VECTOR float sign_(float u) { return u > 0 ? 1.0f : u < 0 ? -1.0f : 0.0f; } /* of NaN 0, as in torch */
VECTOR float max_(float a, float b) { return a > b ? a : a == a ? b : a; }
VECTOR float min_(float a, float b) { return a < b ? a : a == a ? b : a; }
VECTOR float relu_(float u) { return u < 0 ? 0.0f : u; }
VECTOR float saturate_(float u) { u = u > MOST ? MOST : u; return u < -MOST ? -MOST : u; }
VECTOR float unit_(float u) { u = u > 1.0f ? 1.0f : u; return u < -1.0f ? -1.0f : u; }
VECTOR float chain_(float outer, float inner) { return inner == 0 ? 0.0f : outer * inner; }
VECTOR float ratio_(float inner, float below) { return inner == 0 ? 0.0f : inner / below; }

/* c0 + c1 u + c2 u^2 + … by Horner's scheme. Shorter chains of more operations (Estrin's) were 3 % slower. */
VECTOR float poly2(float u, float c0, float c1, float c2) { return (c2 * u + c1) * u + c0; }
VECTOR float poly3(float u, float c0, float c1, float c2, float c3) { return ((c3 * u + c2) * u + c1) * u + c0; }
VECTOR float poly4(float u, float c0, float c1, float c2, float c3, float c4)
{
    return (((c4 * u + c3) * u + c2) * u + c1) * u + c0;
}
VECTOR float poly5(float u, float c0, float c1, float c2, float c3, float c4, float c5)
{
    return ((((c5 * u + c4) * u + c3) * u + c2) * u + c1) * u + c0;
}
VECTOR float poly6(float u, float c0, float c1, float c2, float c3, float c4, float c5, float c6)
{
    return (((((c6 * u + c5) * u + c4) * u + c3) * u + c2) * u + c1) * u + c0;
}
VECTOR float poly7(float u, float c0, float c1, float c2, float c3, float c4, float c5, float c6, float c7)
{
    return ((((((c7 * u + c6) * u + c5) * u + c4) * u + c3) * u + c2) * u + c1) * u + c0;
}
VECTOR float poly8(float u, float c0, float c1, float c2, float c3, float c4, float c5, float c6, float c7, float c8)
{
    return (((((((c8 * u + c7) * u + c6) * u + c5) * u + c4) * u + c3) * u + c2) * u + c1) * u + c0;
}
VECTOR float poly9(float u, float c0, float c1, float c2, float c3, float c4, float c5, float c6, float c7, float c8, float c9)
{
    return poly8(u, c0, c1, c2, c3, c4, c5, c6, c7, c9 * u + c8);
}

/* Added to a number below 2^22 in size and taken away again, it rounds to whole numbers; in between the low bits of the sum
   are that whole number. */
#define WHOLE 12582912.0f

/* exp(r) - 1 for |r| <= 0.3475. */
VECTOR float near_expm1(float r)
{
    float q = poly4(r, 4.999999813e-01f, 1.666654235e-01f, 4.166720536e-02f, 8.366691560e-03f, 1.388248898e-03f);
    return q * (r * r) + r;
}

/* With n = round(u / log 2): exp(u - n log 2) - 1; and WHOLE + n, whose bits << 23 are those of n 2^23. */
VECTOR float reduced_expm1(float u, float *whole)
{
    *whole = u * 1.44269504f + WHOLE;
    float n = *whole - WHOLE;
    return near_expm1((u - n * 0.693359375f) + n * 2.12194440e-4f);
}

/* Below the least normal number exp is 0. */
#define LEAST_EXPONENT -87.3365448f

VECTOR float exp_(float u)
{
    float limited = u > 88.7228317f ? 88.7228317f : u, whole;
    float p = reduced_expm1(limited, &whole) + 1.0f;
    float y = float_of(bits_of(p) + (int32_t)((uint32_t)bits_of(whole) << 23));
    return u < LEAST_EXPONENT ? 0.0f : y;
}

/* exp(u) for -87 <= u <= 88. */
VECTOR float exp_within_(float u)
{
    float whole, p = reduced_expm1(u, &whole) + 1.0f;
    return float_of(bits_of(p) + (int32_t)((uint32_t)bits_of(whole) << 23));
}

/* exp(u) for -88.3 <= u <= 88, to 2e-7 and an operation shorter; below the least normal number it is 0. */
VECTOR float exp_brief_(float u)
{
    float whole = u * 1.44269504f + WHOLE;
    float n = whole - WHOLE;
    float r = (u - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = poly3(r, 4.999922384e-01f, 1.666711942e-01f, 4.189128220e-02f, 8.312398759e-03f) * r * r + r;
    float power = float_of((int32_t)((uint32_t)bits_of(whole) << 23) + (127 << 23));
    return p * power + power;
}

VECTOR float expm1_(float u)
{
    u = u > 88.7228317f ? 88.7228317f : u;
    u = u < -20.0f ? -20.0f : u;
    float whole, p = reduced_expm1(u, &whole);
    float half_power = float_of((int32_t)((uint32_t)bits_of(whole) << 23) + (126 << 23)); /* n may be 128 */
    return 2.0f * (p * half_power + (half_power - 0.5f));
}

/* exp(u) and exp(u) - 1 for u <= 0: whoever needs both pays for one. From -88 on the power of two is 0. */
VECTOR float decay_parts(float u, float *power)
{
    float whole, limited = u < -88.0f ? -88.0f : u;
    float p = reduced_expm1(limited, &whole);
    *power = float_of((int32_t)((uint32_t)bits_of(whole) << 23) + (127 << 23));
    return p;
}
VECTOR float decay_(float u) { float power, p = decay_parts(u, &power); return p * power + power; }
VECTOR float decay_expm1_(float u) { float power, p = decay_parts(u, &power); return p * power + (power - 1.0f); }

/* min(|u|, 13.2): where the normal tail ends in float32. */
VECTOR float tail_(float u) { u = abs_(u); return u > 13.2f ? 13.2f : u; }

/* exp(-t^2 / 2) for 0 <= t <= 13.2; t^2 is never rounded, since n * 0.693359375 is exact. */
VECTOR float gauss_(float t)
{
    float half = -0.5f * t;
    float whole = (half * t) * 1.44269504f + WHOLE;
    float n = whole - WHOLE;
    float r = __builtin_fmaf(half, t, n * -0.693359375f) + n * 2.12194440e-4f;
    float power = float_of((int32_t)((uint32_t)bits_of(whole) << 23) + (127 << 23));
    return near_expm1(r) * power + power;
}

/* log(1 + f) for f from sqrt(1/2) - 1 to sqrt(2) - 1. */
VECTOR float log1p_near(float f)
{
    float q = poly8(f, -4.999998835e-01f, 3.333332569e-01f, -2.500158296e-01f, 2.000197393e-01f, -1.660908255e-01f,
                    1.418182507e-01f, -1.324298799e-01f, 1.290443391e-01f, -7.621778270e-02f);
    return q * (f * f) + f;
}

/* log(1 + u) for 0 <= u <= 1, as u P(u) / Q(u). */
VECTOR float log1p_unit_(float u)
{
    float above = poly2(u, 9.999999810e-01f, 8.671936406e-01f, 1.237643611e-01f);
    float below = poly3(u, 1.0f, 1.367191694e+00f, 4.740590063e-01f, 3.109456266e-02f);
    return u * above / below;
}

/* log of u / 2^k, for the k with which that lies from sqrt(1/2) to sqrt(2); u > 0. */
VECTOR float reduced_log(float u, float *k)
{
    float normal = u < 1.17549435e-38f ? u * 8388608.0f : u;
    float shift = u < 1.17549435e-38f ? 23.0f : 0.0f;
    int32_t bits = bits_of(normal);
    int32_t n = (bits - 0x3f3504f3) >> 23; /* normal = 2^n (1 + f) */
    *k = (float)n - shift;
    return log1p_near(float_of(bits - (int32_t)((uint32_t)n << 23)) - 1.0f);
}

VECTOR float log_(float u)
{
    float k, y = reduced_log(u, &k);
    y = (y - k * 2.12194440e-4f) + k * 0.693359375f;
    y = u <= MOST ? y : u; /* infinity and NaN */
    y = u == 0.0f ? -__builtin_inff() : y;
    return u < 0.0f ? __builtin_nanf("") : y;
}

/* log(y + rest), where y is no subnormal number and the rest what was lost when it was rounded. */
VECTOR float log_with(float y, float rest)
{
    int32_t bits = bits_of(y), n = (bits - 0x3f3504f3) >> 23; /* y = 2^n (1 + f) */
    float f = float_of(bits - (int32_t)((uint32_t)n << 23)) - 1.0f, k = (float)n;
    float v = log1p_near(f + rest * float_of((int32_t)((uint32_t)(127 - n) << 23)));
    v = (v - k * 2.12194440e-4f) + k * 0.693359375f;
    v = y <= MOST ? v : y; /* infinity and NaN */
    v = y == 0.0f ? -__builtin_inff() : v;
    return y < 0.0f ? __builtin_nanf("") : v;
}
VECTOR float log1p_(float u) { float y = 1.0f + u; return log_with(y, u - (y - 1.0f)); }

VECTOR float xlogy_(float a, float b) { return a == 0 ? 0.0f : a * log_(b); }

/* a b, of which no compiler makes part of a sum, and what is lost by rounding it, a + b or a / b. */
VECTOR float product_(float a, float b) { return __builtin_fmaf(a, b, 0.0f); }
VECTOR float lost_product_(float a, float b) { return __builtin_fmaf(a, b, -product_(a, b)); }
VECTOR float lost_quotient_(float a, float b) { return __builtin_fmaf(-(a / b), b, a); } /* times b */
VECTOR float lost_sum_(float a, float b)
{
    float sum = a + b, of_b = sum - a;
    return (a - (sum - of_b)) + (b - of_b);
}

/* The sine of u + rest, u = k pi + r with |r| <= pi / 2, from the k and from the sum in whose bits it ends. */
VECTOR float half_turned(float u, float rest, float k, float whole)
{
    float r = __builtin_fmaf(k, -3.14159274f, u);
    r = __builtin_fmaf(k, 8.74227766e-08f, r);
    r = __builtin_fmaf(k, 3.43024902e-15f, r) + rest;
    float s = r * r;
    float q = poly3(s, -1.666666014e-01f, 8.333078782e-03f, -1.981035127e-04f, 2.607106702e-06f);
    float y = q * (s * r) + r;
    return float_of(bits_of(y) ^ (int32_t)((uint32_t)bits_of(whole) << 31));
}

/* Sines and cosines are right for |u| up to NEAR; where there is a larger one, the loops take those of far_ functions. A rest
   is what u lost when it was rounded; of NOTHING the compiler makes no addition. */
#define NEAR 1e6f
#define NOTHING -0.0f
VECTOR int32_t further(int32_t furthest, float u, float from)
{
    int32_t size = from == from ? bits_of(u) & 0x7fffffff : 0; /* NaN goes through both, but for what overflow makes of a number */
    return size > furthest ? size : furthest;
}

VECTOR float sin_with_(float u, float rest)
{
    float whole = u * 0.318309886f + WHOLE;
    return half_turned(u, rest, whole - WHOLE, whole);
}

/* cos(u) = -sin(u - pi / 2): k is half a turn off. */
VECTOR float cos_with_(float u, float rest)
{
    float whole = (u * 0.318309886f - 0.5f) + WHOLE;
    return -half_turned(u, rest, (whole - WHOLE) + 0.5f, whole);
}

/* sin and cos of one number, each for less where both are wanted: u = k pi / 2 + r with |r| <= pi / 4; both series of r, of
   which k says which one. */
VECTOR float quarter_turned(float u, float rest, uint32_t quarters)
{
    float whole = u * 0.636619772f + WHOLE;
    float k = whole - WHOLE;
    float r = __builtin_fmaf(k, -1.57079637f, u);
    r = __builtin_fmaf(k, 4.37113883e-08f, r);
    r = __builtin_fmaf(k, 1.71512451e-15f, r) + rest;
    float s = r * r;
    float sine = poly2(s, -1.666665402e-01f, 8.332118510e-03f, -1.950906326e-04f) * (s * r) + r;
    float cosine = poly2(s, 4.166664531e-02f, -1.388728893e-03f, 2.442921271e-05f) * (s * s) + (1.0f - 0.5f * s);
    uint32_t quarter = (uint32_t)bits_of(whole) + quarters;
    return float_of(bits_of(quarter & 1 ? cosine : sine) ^ (int32_t)(quarter >> 1 << 31));
}
VECTOR float paired_sin_with_(float u, float rest) { return quarter_turned(u, rest, 0); }
VECTOR float paired_cos_with_(float u, float rest) { return quarter_turned(u, rest, 1); }
VECTOR float tan_with_(float u, float rest) { return sin_with_(u, rest) / cos_with_(u, rest); }

/* 1 / pi in words of 24 bits, by kernel_fits.py: word k counts 2^(-24 (k + 1)). */
static const double INVERSE_PI[48] = {
    5340353, 12003106, 693502, 1289192, 16423534, 14708145, 4902046, 2213920, 16722097, 14020445, 14856411, 9582365,
    2172649, 7340836, 9925892, 15255822, 8326901, 9328788, 13868916, 4266746, 9919906, 4355278, 3674970, 3129120,
    10275051, 1884585, 10287694, 4337605, 14613652, 1937404, 4980719, 183303, 16226184, 12954885, 3575734, 10174311,
    9692548, 14395299, 2077519, 3142934, 12227549, 6551026, 16301470, 8625403, 12921161, 7681533, 11524239, 13020804};
#define WHOLE_WIDE 6755399441055744.0 /* WHOLE for double, to 2^51 */
VECTOR int64_t wide_bits_of(double u) { int64_t i; memcpy(&i, &u, 8); return i; }
VECTOR double wide_of(int64_t i) { double u; memcpy(&u, &i, 8); return u; }
VECTOR double less_even(double t) { return t - 2 * ((0.5 * t + WHOLE_WIDE) - WHOLE_WIDE); }

/* u / pi less an even number, from -1 to 1, for every u; of infinity NaN. After Payne and Hanek 1983, Radian reduction for
   trigonometric functions: u = m 2^e with m of 53 bits is split in three, so that products with a word are exact; words that
   would give even numbers are left out, and five that follow are enough. e - 1 where it is positive, by 24, tells the first. */
VECTOR double half_turns(double u)
{
    double e = wide_of((wide_bits_of(u) >> 52 & 0x7ff) | 0x4330000000000000) - (4503599627370496.0 + 1076.0);
    int64_t first = wide_bits_of((e > 0 ? e : 0) * (1 / 24.0) - 0.48 + WHOLE_WIDE) & 63;
    u *= wide_of((1023 - 24 * first) << 52);
    double high = wide_of(wide_bits_of(u) & ~0x1fffffffLL), rest = u - high;
    double middle = wide_of(wide_bits_of(rest) & ~0x1fffffffLL), low = rest - middle;
    double sum = 0, scale = 1 / 16777216.0;
    for (int k = 0; k < 5; k++) {
        double word = INVERSE_PI[first + k] * scale;
        sum += less_even(high * word) + less_even(middle * word) + less_even(low * word);
        scale *= 1 / 16777216.0;
    }
    return less_even(sum);
}
VECTOR float turned_by(double halves)
{
    double whole = halves + WHOLE_WIDE;
    float r = (float)((halves - (whole - WHOLE_WIDE)) * 3.141592653589793), s = r * r;
    float q = poly3(s, -1.666666014e-01f, 8.333078782e-03f, -1.981035127e-04f, 2.607106702e-06f);
    float y = q * (s * r) + r;
    return float_of(bits_of(y) ^ (int32_t)((uint32_t)wide_bits_of(whole) << 31));
}
VECTOR float wide_sin(double u) { return turned_by(half_turns(u)); }
VECTOR float wide_cos(double u) { return turned_by(half_turns(u) + 0.5); }
VECTOR float wide_tan(double u) { return wide_sin(u) / wide_cos(u); }

/* Each for a number that nothing was lost of; the same for every number, of infinity NaN; and for every number that is near
   as u + rest, and far as `wide`. Near ones have the same bits whatever else is in their block. */
#define TURNING(name, function)                                                                                                \
    VECTOR float name##_(float u) { return name##_with_(u, NOTHING); }                                                         \
    VECTOR float far_##name##_(float u) { return abs_(u) <= NEAR ? name##_(u) : wide_##function(u); }                          \
    VECTOR float far_##name##_with_(float u, float rest, double wide)                                                          \
    {                                                                                                                          \
        return abs_(u) <= NEAR ? name##_with_(u, rest) : wide_##function(wide);                                                \
    }
TURNING(sin, sin)
TURNING(cos, cos)
TURNING(paired_sin, sin)
TURNING(paired_cos, cos)
TURNING(tan, tan)

/* v = |u|, or 1 / |u| where that is `far` beyond 1, its square s, and (arctan(v) - v) / v^3. */
VECTOR float arctan_parts(float u, int *far, float *v, float *s)
{
    float size = abs_(u);
    *far = size > 1.0f;
    *v = *far ? 1.0f / size : size;
    *s = *v * *v;
    return poly7(*s, -3.333315274e-01f, 1.999377282e-01f, -1.421105522e-01f, 1.066600430e-01f, -7.552213572e-02f,
                    4.321185253e-02f, -1.636792298e-02f, 2.920690991e-03f); /* 0 <= v <= 1 */
}
VECTOR float arctan_(float u)
{
    int far;
    float v, s, q = arctan_parts(u, &far, &v, &s), y = q * s * v + v;
    return with_sign_(far ? 1.57079633f - y : y, u);
}

/* u (arctan(u) / pi + 1/2). */
VECTOR float atlu_(float u)
{
    int far;
    float v, s, q = arctan_parts(u, &far, &v, &s), y = q * s * v + v;
    float angle = far ? y : 1.57079633f - y; /* arctan(-|u|) + pi / 2 */
    return 0.318309886f * (u * (u < 0 ? angle : 3.14159265f - angle));
}

/* Its derivative: arctan(-|u|) + pi / 2 - |u| / (1 + u^2), over pi, for u < 0. */
VECTOR float atlu_slope_(float u)
{
    int far;
    float v, s, q = arctan_parts(u, &far, &v, &s), r = 1.0f / (1.0f + s);
    float angle = far ? v * s * (q + r) : 1.57079633f - (q * s * v + v) - v * r;
    return 0.318309886f * (u < 0 ? angle : 3.14159265f - angle);
}

/* With u limited to what can be squared: sqrt(c + u^2), u / sqrt(c + u^2), u + sqrt(c + u^2), 1 + u / sqrt(c + u^2). */
VECTOR float within_squares(float u) { return u > 9e18f ? 9e18f : u < -9e18f ? -9e18f : u; }
VECTOR float root_(float c, float u) { u = within_squares(u); return __builtin_sqrtf(c + u * u); }
VECTOR float over_root_(float c, float u) { u = within_squares(u); return u / __builtin_sqrtf(c + u * u); }
VECTOR float hinge_(float c, float u)
{
    float sum = root_(c, u) + abs_(u);
    return u < 0 ? c / sum : sum;
}
VECTOR float gate_(float c, float u)
{
    u = within_squares(u);
    float root = __builtin_sqrtf(c + u * u), sum = root + abs_(u);
    return u < 0 ? c / (root * sum) : sum / root;
}

/* log(|u| + sqrt(1 + u^2)), or log(2 |u|) far out. */
VECTOR float arcsinh_(float u)
{
    float size = abs_(u), v = size > 1e9f ? 1e9f : size, s = v * v;
    float more = v + s / (1.0f + __builtin_sqrtf(1.0f + s)), y = 1.0f + more;
    float whole = size > 1e9f ? size : y, rest = size > 1e9f ? 0.0f : more - (y - 1.0f);
    float sum = log_with(whole, rest);
    return with_sign_(size > 1e9f ? sum + 0.693147181f : sum, u);
}

/* sinh(u) from t = exp(|u|) - 1. */
VECTOR float sinh_(float u)
{
    float t = expm1_(abs_(u));
    float y = 0.5f * t + 0.5f * (t / (t + 1.0f));
    return with_sign_(y, u);
}

/* erf(u) as u P(u^2) / Q(u^2) up to |u| = 3.925, where it is 1 to the last place. */
VECTOR float erf_(float u)
{
    float s = u * u;
    s = s > 15.4f ? 15.4f : s;
    float above = poly5(s, 1.128379146e+00f, 1.905681667e-01f, 5.276651818e-02f, 3.771611314e-03f, 2.848505530e-04f,
                        2.046601549e-06f);
    float below = poly5(s, 1.0f, 5.022193722e-01f, 1.141726928e-01f, 1.498130345e-02f, 1.163681912e-03f, 3.805406657e-05f);
    return unit_(u * above / below);
}

/* (1 - Phi(t)) exp(t^2 / 2) for 0 <= t <= 13.2, as P(t) / Q(t): the normal tail without its exponential. */
VECTOR float mills_(float t)
{
    float above = poly4(t, 5.000000024e-01f, 4.354522463e-01f, 1.811343483e-01f, 3.992630247e-02f, 4.011659714e-03f);
    float below = poly5(t, 1.0f, 1.668789406e+00f, 1.193765918e+00f, 4.639253256e-01f, 1.000878682e-01f, 1.005559419e-02f);
    return above / below;
}

/* tanh(u) as u P(u^2) / Q(u^2) up to |u| = 9, where it is 1 to the last place: costs less than an exponential. */
VECTOR float tanh_above(float s)
{
    return poly4(s, 9.999999794e-01f, 1.338102525e-01f, 3.495587700e-03f, 2.060907645e-05f, 1.335465515e-08f);
}
VECTOR float tanh_below(float s)
{
    return poly4(s, 1.0f, 4.671434084e-01f, 2.587698048e-02f, 3.285634174e-04f, 7.776555347e-07f);
}
VECTOR float tanh_within_(float u) { return u * tanh_above(u * u) / tanh_below(u * u); }
VECTOR float rational_tanh_(float u)
{
    float s = u * u;
    s = s > 81.0f ? 81.0f : s;
    return unit_(u * tanh_above(s) / tanh_below(s));
}

/* 1 - Phi(t) for 0 <= t <= 5.6, as 1 / (2 P(t)^16): without an exponential. After Hastings 1955, Approximations for Digital
   Computers. */
VECTOR float short_tail(float t)
{
    float p = poly9(t, 4.986775053e-02f, 2.113770841e-02f, 3.284585261e-03f, 3.516724467e-05f, 4.332014405e-05f,
                    1.216404692e-05f, -2.937130580e-06f, 5.700024558e-07f, -5.028415193e-08f, 2.511283449e-09f) * t + 1.0f;
    p = p * p;
    p = p * p;
    p = p * p;
    return 0.5f / (p * p);
}

/* u Phi(u) and its slope, for sums in which what they are far on the left, below 1e-7, is not seen. */
VECTOR float absolute_gelu_(float u)
{
    float t = abs_(u);
    t = t > 5.6f ? 5.6f : t;
    return relu_(u) - t * short_tail(t);
}
VECTOR float absolute_gelu_slope_(float u)
{
    float s = u * u;
    float above = poly5(s, 7.978846679e-01f, -3.398616798e-02f, 1.421928102e-02f, -2.434019689e-05f, 3.356540385e-05f,
                        7.360926117e-08f);
    float below = poly6(s, 1.0f, 2.907405501e-01f, 3.972656253e-02f, 3.321337043e-03f, 1.770208857e-04f, 7.348765704e-06f,
                        -1.252503524e-08f);
    return (s > 31.36f ? with_sign_(0.5f, u) : u * above / below) + 0.5f;
}

/* Whole activations and slopes of them that would take two exponentials or two quotients, each as one quotient of u between
   where it is 0 and where it is its limit on the right. They are right to about 1e-6 of 1, or of the value where that is
   larger: far on the left, where they tend to 0, only that they are small. */

/* u tanh(u Phi(u)) */
VECTOR float phish_(float u)
{
    float v = u > 8.7f ? 8.7f : u;
    float above = poly5(v, 4.999992893e-01f, 4.171108100e-01f, 2.676283748e-01f, 1.707064525e-01f, 8.403565430e-02f,
                        poly6(v, 3.200096092e-02f, 9.836262073e-03f, 2.307449094e-03f, 3.768069211e-04f, 3.930283767e-05f,
                        2.333592187e-06f, 5.988187217e-08f));
    float below = poly6(v, 1.0f, 3.634334819e-02f, 5.895660522e-01f, 2.064376968e-01f, 2.154832402e-01f, 6.678607311e-02f,
                        poly6(v, 3.491021075e-02f, 9.202501710e-03f, 2.616848729e-03f, 2.900816241e-04f, 5.154813566e-05f,
                        1.474637671e-06f, 8.390082011e-08f));
    return u < -6.0f ? 0.0f : relu_(u * (v * above / below));
}
VECTOR float phish_slope_(float u)
{
    float v = u > 10.2f ? 10.2f : u;
    float above = poly6(v, 1.000001142e+00f, 7.365382506e-01f, 7.111894470e-02f, 2.043427697e-01f, 8.001216931e-02f,
                        3.843987706e-02f, poly7(v, 2.685544810e-02f, 5.524793560e-03f, -8.081133768e-05f, 2.766608999e-04f,
                        2.188916255e-04f, 4.973000473e-05f, 4.882450332e-06f, 1.810013983e-07f));
    float below = poly7(v, 1.0f, -4.602719475e-01f, 7.886888342e-01f, 1.463666240e-02f, 2.636009765e-01f, 1.900418315e-02f,
                        6.793606549e-02f, poly7(v, 1.742028328e-02f, 6.346564177e-03f, -6.172172466e-05f, 3.812802826e-04f,
                        1.768515578e-04f, 5.605356127e-05f, 4.448595704e-06f, 1.924207634e-07f));
    return u < -6.3f ? 0.0f : v * above / below;
}

/* tanh(0.87 u) softplus(u) */
VECTOR float tanh_soft_(float u)
{
    float v = u > 14.0f ? 14.0f : u;
    float above = poly6(v, 6.030378949e-01f, 4.388575530e-01f, 2.144581596e-01f, 7.144963652e-02f, 1.750504694e-02f,
                        3.292904109e-03f, poly6(v, 4.740505081e-04f, 5.106700419e-05f, 4.002006467e-06f, 2.199116486e-07f,
                        7.993600070e-09f, 1.720441245e-10f, 1.655833202e-12f));
    float below = poly6(v, 1.0f, 6.396903638e-03f, 4.229763924e-01f, -4.174143041e-03f, 4.027193447e-02f, -2.160045541e-03f,
                        poly6(v, 1.471343020e-03f, -8.480604746e-05f, 1.746251052e-05f, -7.161950158e-07f, 5.108779424e-08f,
                        -1.002144960e-09f, 1.594231518e-11f));
    return u < -17.0f ? 0.0f : u * (above / below);
}
VECTOR float tanh_soft_slope_(float u)
{
    float v = u > 15.5f ? 15.5f : u;
    float above = poly6(v, 6.030378984e-01f, 8.542527229e-01f, 2.628346728e-01f, 1.545092368e-01f, 6.388575004e-02f,
                        1.904862578e-02f, poly6(v, 4.096004413e-03f, 6.241474837e-04f, 6.668829380e-05f, 4.870992434e-06f,
                        2.301051672e-07f, 6.287065341e-09f, 7.494976601e-11f));
    float below = poly6(v, 1.0f, -2.611012735e-02f, 6.894029739e-01f, -1.605718575e-02f, 1.420885605e-01f,
                        -2.497333261e-03f, poly7(v, 8.022082836e-03f, -1.368550468e-05f, 1.677909976e-04f,
                        -7.919557646e-06f, 1.326588146e-06f, -5.213269235e-08f, 1.816800615e-09f, -2.220655145e-11f));
    return u < -18.0f ? 0.0f : above / below;
}

/* The slope of u tanh(exp(u)) */
VECTOR float tanh_exp_slope_(float u)
{
    float v = u > 2.4f ? 2.4f : u;
    float above = poly6(v, 7.615941978e-01f, -3.424684134e-01f, -2.672688421e-01f, 4.874835371e-01f, -1.497381288e-01f,
                        9.602150002e-03f, poly6(v, 8.767206191e-03f, 3.588725106e-03f, 8.246022556e-04f, 9.632324416e-05f,
                        5.949722736e-06f, 1.874140586e-07f, 2.382670656e-09f));
    float below = poly6(v, 1.0f, -1.552553456e+00f, 1.794111920e+00f, -1.242403737e+00f, 6.653236336e-01f,
                        -2.271919614e-01f, poly6(v, 6.246969561e-02f, -9.434608851e-03f, 3.444275704e-03f,
                        -1.993279126e-04f, 3.868571535e-05f, -5.782548446e-06f, 2.919359049e-07f));
    return u < -19.0f ? 0.0f : above / below;
}

/* The slope of u erf(log(1 + exp(u))) */
VECTOR float serf_slope_(float u)
{
    float v = u > 4.25f ? 4.25f : u;
    float above = poly5(v, 6.730413466e-01f, 9.552705072e-03f, -2.415480222e-01f, 1.688106552e-01f, -1.911130984e-02f,
                        poly6(v, -1.749825408e-03f, 1.441978094e-03f, 2.594147116e-04f, 1.807199299e-05f, 5.665339705e-07f,
                        5.562398899e-09f, -4.490328175e-11f));
    float below = poly6(v, 1.0f, -1.022749265e+00f, 8.518564000e-01f, -4.200166325e-01f, 1.737898904e-01f,
                        -4.765966769e-02f, poly6(v, 1.119145514e-02f, -1.601367448e-03f, 2.770014662e-04f,
                        -2.284218631e-05f, 1.833747659e-06f, -1.745356716e-07f, 9.358975697e-09f));
    return u < -19.0f ? 0.0f : above / below;
}

/* erf(log(1 + z)), and exp(-log(1 + z)^2) / (1 + z), up to z = 70, where they are 1 and 0. */
VECTOR float erf_log_(float v)
{
    float above = poly5(v, 1.128379148e+00f, 1.456600013e+00f, 5.554299296e-01f, 1.298629982e-01f, 1.554823911e-02f,
                        1.081128066e-03f);
    float below = poly6(v, 1.0f, 1.790875479e+00f, 1.387720686e+00f, 5.586476533e-01f, 1.297808708e-01f, 1.554932750e-02f,
                        1.081122324e-03f);
    return v * above / below;
}
VECTOR float erf_log_slope_(float v)
{
    float above = poly5(v, 9.999996210e-01f, 1.199815387e+00f, -8.956259581e-02f, 2.831180553e-03f, -4.287337504e-05f,
                        2.492906946e-07f);
    float below = poly7(v, 1.0f, 2.199777304e+00f, 2.110829708e+00f, 1.109743251e+00f, 3.401024596e-01f, 6.548431256e-02f,
                        6.353018569e-03f, 4.708774326e-04f);
    return v >= 69.99f ? 0.0f : above / below;
}

/* |a|^b as 2^(b log2 |a|), with log2 |a| = k + l: what k adds to the exponent is never rounded. */
VECTOR float power_of_size(float a, float b)
{
    float k, l = reduced_log(abs_(a), &k);
    l = __builtin_fmaf(l, 1.44269502f, l * 1.92596299e-8f);
    float exponent = __builtin_fmaf(b, l, b * k);
    float whole = exponent + WHOLE;
    float r = __builtin_fmaf(b, l, __builtin_fmaf(b, k, WHOLE - whole));
    float p = near_expm1(r * 0.693147181f) + 1.0f;
    float y = float_of(bits_of(p) + (int32_t)((uint32_t)bits_of(whole) << 23));
    y = exponent < -126.0f ? 0.0f : y; /* below the least normal number, as in exp_ */
    return exponent < 127.9999f ? y : MOST;
}

/* a^b; of a negative number only where b is whole. What depends on b alone is a number, never a condition: gcc has no vector
   of one condition for all. */
VECTOR float pow_(float a, float b)
{
    float near = b + WHOLE;
    float if_broken = near - WHOLE == b ? 0.0f : __builtin_nanf("");
    float at_0 = b > 0 ? 0.0f : __builtin_inff(), at_infinity = b > 0 ? MOST : 0.0f;
    float y = power_of_size(a, b);
    y = abs_(a) > MOST ? at_infinity : y;
    y = a == 0 ? at_0 : y;
    y = float_of(bits_of(y) | (bits_of(a) & (int32_t)((uint32_t)bits_of(near) << 31))); /* b is odd */
    y = a < 0 ? y + if_broken : y;
    y = a + b != a + b ? a + b : y;
    return b == 0 ? 1.0f : y;
}

/* A number from [0, 1) for the i-th place under two keys: what differs in one bit of a key differs in half of the bits of
   its stirred form (MurmurHash3's last step, Appleby 2011), which is the same for all places; a place takes two products, the
   second one with a factor of the second key's own. random_leaky.py has the same in torch. */
VECTOR uint32_t stirred(uint32_t h)
{
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
}
VECTOR float uniform(uint32_t i, uint32_t first, uint32_t second)
{
    uint32_t h = i * 0x9e3779b9u + stirred(first);
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * (stirred(second + 1) | 1);
    return (float)(int32_t)((h ^ (h >> 16)) >> 8) * 0x1p-24f;
}

/* bfloat16 is the upper half of a float32; written rounded to the nearest, ties to even. */
VECTOR float from_bfloat16(uint16_t half) { return float_of((int32_t)((uint32_t)half << 16)); }
VECTOR uint16_t to_bfloat16(float u)
{
    uint32_t bits = (uint32_t)bits_of(u);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (uint16_t)(u != u ? 0x7fc0 : rounded);
}
