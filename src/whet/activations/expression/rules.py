"""What may be rewritten, as pairs of formulas: left becomes right, for any u, v, w, any numbers c, d, and p above 0.

Right is worth as much as left, up to rounding, wherever left is a finite number; it is cheaper, or exact where left
overflows or cancels: log(1 + exp(u)) is softplus(u), which is 1e4 and not infinite at u = 1e4.
"""

M = "min(u, -11)"
TAIL = (
    "-0.5 * square(u) - "
    f"log(-2.5066282746310002 * ({M} + 1 / ({M} + 2 / ({M} + 3 / ({M} + 4 / ({M} + 5 / ({M} + 6 / {M})))))))"
)
"""log(Phi(u)) for u <= -12, where Phi itself comes near the smallest float32: Laplace's continued fraction."""

RULES = f"""
-(-u)                            u
-(u - v)                         v - u
u + 0                            u
0 + u                            u
u - 0                            u
0 - u                            -u
u - u                            0
u + -v                           u - v
-u + v                           v - u
u - -v                           u + v
u + u                            2 * u
u + c                            c + u
c + (d + u)                      (c + d) + u
c + (d - u)                      (c + d) - u
c - (d + u)                      (c - d) - u
c - (d - u)                      (c - d) + u
u - c                            -c + u

1 * u                            u
-1 * u                           -u
u * 1                            u
0 * u                            0
u * 0                            0
u * c                            c * u
c * (d * u)                      (c * d) * u
u * (c * v)                      c * (u * v)
(c * u) * v                      c * (u * v)
c * -u                           -c * u
u * -v                           -(u * v)
-u * v                           -(u * v)
-(c * u)                         -c * u
u * u                            square(u)
c * (u / v)                      (c * u) / v
-u / v                           -(u / v)
u / -v                           -(u / v)
0 / u                            0
1 / (c + abs(u)) - chain(u / (c + abs(u)), ratio(sign(u), c + abs(u)))  c / square(c + abs(u))
u / (c * v)                      (1 / c) * (u / v)
(c * u) / d                      (c / d) * u
u * (1 / v)                      u / v
(1 / v) * u                      u / v

chain(u, 0)                      0
chain(0, u)                      0
chain(u, 1)                      u
chain(1, u)                      u
chain(u, c)                      c * u
chain(c, u)                      c * u
chain(u, -v)                     -chain(u, v)
chain(-u, v)                     -chain(u, v)
chain(u, c * v)                  c * chain(u, v)
chain(c * u, v)                  c * chain(u, v)
ratio(0, u)                      0
ratio(u, 1)                      u
ratio(c, u)                      c / u
ratio(-u, v)                     -ratio(u, v)
ratio(c * u, v)                  c * ratio(u, v)
ratio(u, c * v)                  (1 / c) * ratio(u, v)

u^0                              1
u^1                              u
u^2                              square(u)
u^0.5                            sqrt(u)
u^-1                             1 / u
1^u                              1
square(-u)                       square(u)
square(abs(u))                   square(u)
sqrt(square(u))                  abs(u)
abs(-u)                          abs(u)
abs(abs(u))                      abs(u)
relu(relu(u))                    relu(u)

max(u, 0)                        relu(u)
max(0, u)                        relu(u)
max(u, u)                        u
min(u, u)                        u
where(u > 0, u, 0)               relu(u)
where(u, v, v)                   v
where(u > 0, v, w)               where(u, v, w)
(u > 0) * u                      relu(u)
u * (u > 0)                      relu(u)
(u > 0) > 0                      u > 0

exp(u) * exp(v)                  exp(u + v)
exp(u) / exp(v)                  exp(u - v)
square(exp(u))                   exp(2 * u)
log(exp(u))                      u
-1 + exp(u)                      expm1(u)
exp(u) - 1                       expm1(u)
1 - exp(u)                       -expm1(u)
1 + expm1(u)                     exp(u)
log(1 + u)                       log1p(u)
log1p(exp(u))                    softplus(u)
log1p(-1 + u)                    log(u)
log(cosh(u))                     softplus(2 * u) - u - 0.6931471805599453
log(sigmoid(u))                  -softplus(-u)
log(logistic(u))                 -(softplus(u) + softplus(-u))
log(2 * sigmoid(u))              log1p(tanh(0.5 * u))
log(p * sigmoid(u))              log(p) - softplus(-u)
log1p(-sigmoid(u))               -softplus(u)
log1p(tanh(u))                   where(u > -1, log1p(max(tanh(u), -0.8)), 0.6931471805599453 - softplus(-2 * u))
log1p(-tanh(u))                  where(1 > u, log1p(-min(tanh(u), 0.8)), 0.6931471805599453 - softplus(2 * u))
log(expm1(u))                    u + log(-expm1(-u))
softplus(u) - u                  softplus(-u)
u - softplus(u)                  -softplus(-u)
expm1(log1p(u))                  u
tanh(log1p(sigmoid(u)))          sigmoid(u) * ((2 + sigmoid(u)) / (2 + sigmoid(u) * (2 + sigmoid(u))))
exp(softplus(u))                 1 + exp(u)

u / (1 + exp(-v))                u * sigmoid(v)
u / (1 + exp(v))                 u * sigmoid(-v)
exp(u) / (1 + exp(u))            sigmoid(u)
exp(u) * sigmoid(-u)             sigmoid(u)
1 - sigmoid(u)                   sigmoid(-u)
c - c * sigmoid(u)               c * sigmoid(-u)
-1 + sigmoid(u)                  -sigmoid(-u)
1 + tanh(u)                      2 * sigmoid(2 * u)
1 - tanh(u)                      2 * sigmoid(-2 * u)
-1 + tanh(u)                     -2 * sigmoid(-2 * u)
c + c * tanh(u)                  (2 * c) * sigmoid(2 * u)
c - c * tanh(u)                  (2 * c) * sigmoid(-2 * u)
1 - square(tanh(u))              square(sech(u))
-1 + square(tanh(u))             -square(sech(u))
-1 + cosh(u)                     2 * square(sinh(0.5 * u))
1 - cos(u)                       2 * square(sin(0.5 * u))
-1 + cos(u)                      -2 * square(sin(0.5 * u))
2 * sigmoid(u) - 1               tanh(0.5 * u)
-1 + 2 * sigmoid(u)              tanh(0.5 * u)
1 / cosh(u)                      sech(u)
exp(u) - exp(-u)                 2 * sinh(u)
exp(-u) - exp(u)                 -2 * sinh(u)
exp(u) + exp(-u)                 2 * cosh(u)
exp(-u) + exp(u)                 2 * cosh(u)
sinh(u) / cosh(u)                tanh(u)
sin(u) / cos(u)                  tan(u)
1 + erf(u)                       2 * Phi(1.4142135623730951 * u)
1 - erf(u)                       2 * Phi(-1.4142135623730951 * u)
-1 + erf(u)                      -2 * Phi(-1.4142135623730951 * u)
c + c * erf(u)                   (2 * c) * Phi(1.4142135623730951 * u)
c - c * erf(u)                   (2 * c) * Phi(-1.4142135623730951 * u)
1 - Phi(u)                       Phi(-u)
-1 + Phi(u)                      -Phi(-u)
log1p(erf(u))                    where(u > -1, log1p(max(erf(u), -0.9)), 0.6931471805599453 + log(Phi(1.4142135623730951 * u)))
log1p(-erf(u))                   where(1 > u, log1p(-min(erf(u), 0.9)), 0.6931471805599453 + log(Phi(-1.4142135623730951 * u)))
log(2 * Phi(u))                  log1p(erf(0.7071067811865475 * u))
log(p * Phi(u))                  log(p) + log(Phi(u))
log(Phi(u))                      where(u > 0, log1p(-Phi(-u)), where(u > -12, log(max(Phi(u), 1e-35)), {TAIL}))

sqrt(c + square(u))              root(c, u)
sqrt(c + p * square(u))          root(c, p^0.5 * u)
root(c, -u)                      root(c, u)
root(c, abs(u))                  root(c, u)
u / root(c, u)                   over_root(c, u)
u / root(c, d * u)               (1 / d) * over_root(c, d * u)
ratio(u, root(c, u))             over_root(c, u)
over_root(c, -u)                 -over_root(c, u)
(c * u) / root(d, v)             c * (u / root(d, v))
u + root(c, u)                   hinge(c, u)
root(c, u) + u                   hinge(c, u)
root(c, u) - u                   hinge(c, -u)
u - root(c, u)                   -hinge(c, -u)
1 + over_root(c, u)              gate(c, u)
1 - over_root(c, u)              gate(c, -u)
c + c * over_root(d, u)          c * gate(d, u)
c - c * over_root(d, u)          c * gate(d, -u)
hinge(c, u) / root(c, u)         gate(c, u)
u * (0.5 + 0.3183098861837907 * arctan(u))         atlu(u)
u * (1.5707963267948966 + arctan(u))               3.141592653589793 * atlu(u)

sin(-u)                          -sin(u)
cos(-u)                          cos(u)
tan(-u)                          -tan(u)
tanh(-u)                         -tanh(u)
erf(-u)                          -erf(u)
sinh(-u)                         -sinh(u)
cosh(-u)                         cosh(u)
sech(-u)                         sech(u)
phi(-u)                          phi(u)
logistic(-u)                     logistic(u)
sigmoid(u) * sigmoid(-u)         logistic(u)
sigmoid(-u) * sigmoid(u)         logistic(u)
arctan(-u)                       -arctan(u)
arcsinh(-u)                      -arcsinh(u)
"""
