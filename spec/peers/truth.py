"""The truth that spec/c/accuracy.c measures special functions by, beside mpmath at 50 digits.

usage: python3 spec/peers/truth.py build/spec/accuracy

Prints for each function the largest relative difference over its points, in units of 2^-64. Fails above 2^-55, a quarter of
a unit in the last place of float64; near the zeros of Bessel functions the difference counts beside their amplitude.
"""
import subprocess
import sys

from mpmath import mp, mpf

mp.prec = 200


def precisely(f, *at):
    """Where mpmath loses digits on the way."""
    with mp.workprec(1200):
        return f(*at)


def spherical(x):
    return mp.sign(x) * mp.sqrt(mp.pi / (2 * abs(x))) * mp.besselj(1.5, abs(x))


def beside_wave(f):
    return lambda x: (f(x), min(mpf(1), mp.sqrt(2 / (mp.pi * abs(x)))))


TRUTH = {
    "ndtr": mp.ncdf, "log_ndtr": lambda x: precisely(lambda: mp.log(mp.ncdf(x))), "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x),
    "erfinv": mp.erfinv, "digamma": lambda x: (mp.digamma(x), mpf(1)), "polygamma": lambda n, x: mp.polygamma(int(n), x),
    "hurwitz_zeta": lambda s, x: precisely(mp.zeta, s, x), "lgamma": lambda x: mp.re(mp.loggamma(x)),
    "igamma": lambda a, x: mp.gammainc(a, 0, x, regularized=True),
    "igammac": lambda a, x: mp.gammainc(a, x, regularized=True),
    "i0": lambda x: mp.besseli(0, x), "i1": lambda x: mp.besseli(1, x),
    "i0e": lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), "i1e": lambda x: mp.besseli(1, x) * mp.exp(-abs(x)),
    "k0": lambda x: mp.besselk(0, x), "k1": lambda x: mp.besselk(1, x),
    "k0e": lambda x: mp.besselk(0, x) * mp.exp(x), "k1e": lambda x: mp.besselk(1, x) * mp.exp(x),
    "bessel_j0": beside_wave(lambda x: mp.besselj(0, x)), "bessel_j1": beside_wave(lambda x: mp.besselj(1, x)),
    "bessel_y0": beside_wave(lambda x: mp.bessely(0, x)), "bessel_y1": beside_wave(lambda x: mp.bessely(1, x)),
    "spherical_j1": lambda x: (spherical(x), min(abs(x) / 3, 1 / abs(x))),
    "airy_ai": lambda x: (mp.airyai(x), mpf(0.5) if x < 0 else 0),
    "airy_ai_slope": lambda x: (mp.airyai(x, derivative=1), mpf(0.5) if x < 0 else 0),
}


def main():
    lines = subprocess.run([sys.argv[1], "truth"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    worst = {}
    for line in lines:
        name, operands, *numbers = line.split()
        if name not in TRUTH:
            continue
        at = [mpf(float.fromhex(v)) for v in numbers[: int(operands)]]
        if max(map(abs, at)) > 1e6:
            continue
        found = TRUTH[name](*at)
        want, beside = found if isinstance(found, tuple) else (found, 0)
        size = max(abs(want), abs(beside), mpf(2) ** -1022)
        if abs(want) > mpf(2) ** 1024:
            continue
        far = float(abs(mpf(numbers[-1]) - want) / size * 2**64)
        worst[name] = max(worst.get(name, (0, ())), (far, tuple(map(float, at))))
    for name, (far, at) in sorted(worst.items()):
        print(f"{name:14} {far:10.3g} at {at}")
    failed = [name for name, (far, _) in worst.items() if not far < 2**9]
    print("all agree" if not failed else f"differ: {failed}")
    return 1 if failed or len(worst) < len(TRUTH) else 0


sys.exit(main())
