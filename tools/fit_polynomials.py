#!/usr/bin/env python3
"""Fits the polynomials of the kernels and prints their coefficients (as C's hexadecimal floats) and largest errors.

Usage: fit_polynomials.py    (needs numpy; nothing in the build does)

Each fit is a weighted least squares whose weights are raised where the error is largest until it is level (Lawson's
iteration), which tends to the minimax polynomial. Used by src/kern/kern_body.h (exp, GELU) and src/kern/low_body.h (GELU of
the low precisions) with low_attention_bf16.h (exp2).
"""
from math import erf, erfc, log, sqrt

import numpy as np


def lawson(columns, target, scale, rounds=400):
    """Coefficients q that make max |scale * (columns @ q - target)| small."""
    weights = np.ones(len(target))
    best, least = None, np.inf
    for _ in range(rounds):
        w = weights * scale
        q = np.linalg.lstsq(columns * w[:, None], target * w, rcond=None)[0]
        error = np.abs(scale * (columns @ q - target))
        if error.max() < least:
            best, least = q, error.max()
        weights *= (error / error.max() + 1e-3) ** 0.15
        weights /= weights.max()
    return best, least


def nodes(low, high, count=4000):
    return low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, count))) / 2


def show(what, coefficients, error):
    print(f"{what}: largest error {error:.2g}")
    for power, value in sorted(enumerate(coefficients), reverse=True):
        print(f"  {power}: {float(np.float32(value)).hex()}")


def fit_exp():
    """e^r on |r| <= ln 2 / 2; 1, r and r^2 / 2 are kept exact, so that e^0 is 1."""
    r = nodes(-log(2) / 2, log(2) / 2)
    rest = np.exp(r) - 1 - r - r * r / 2
    q, error = lawson(np.stack([r**k for k in range(3, 7)], 1), rest, 1 / np.exp(r))
    show("exp, degree 6", [1, 1, 0.5, *q], error)


def fit_exp2():
    """2^r on [0, 1]."""
    r = nodes(0, 1)
    q, error = lawson(np.stack([r**k for k in range(4)], 1), np.exp2(r), 1 / np.exp2(r))
    show("exp2, degree 3", q, error)


def fit_tail():
    """ln Q(t), the upper tail of the standard normal, on [0, 6]; what counts is the error of t Q(t)."""
    t = nodes(1e-4, 6)
    tail = np.array([erfc(v / sqrt(2)) / 2 for v in t])
    q, error = lawson(np.stack([t**k for k in range(9)], 1), np.log(tail), t * tail)
    show("ln Q for GELU, degree 8", q, error)


def fit_gelu(terms, bound):
    """gelu(x) = x (1/2 + t P(t^2)), t = x within [-c, c], c P(c^2) = 1/2: P with so many coefficients, and the best c."""
    best = (np.inf, None, None)
    for c in np.arange(2.6, bound, 0.05):
        t = nodes(1e-3, c, 800)
        u = t * t
        target = t * np.array([erf(v / sqrt(2)) / 2 for v in t]) - u * 0.5 / c
        columns = np.stack([u * (u - c * c) * (u / (c * c)) ** k for k in range(terms - 1)], 1)
        q, error = lawson(columns, target, np.ones(len(t)), 200)
        beyond = c * erfc(c / sqrt(2)) / 2  # x itself is given there
        error = max(error, beyond)
        if error < best[0]:
            q = q / np.array([(c * c) ** k for k in range(terms - 1)])
            p = np.zeros(terms)
            p[0] = 0.5 / c
            p[1:] += q
            p[:-1] -= c * c * q
            best = (error, c, p)
    show(f"GELU without exp, {terms} coefficients, c = {best[1]:.2f}", best[2], best[0])


if __name__ == "__main__":
    fit_exp()
    fit_exp2()
    fit_tail()
    fit_gelu(6, 4.2)
    fit_gelu(9, 5.0)
