/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * std::ctype_base for the host's libstdc++ over musl, in place of its own file
 * of this name. The bits are those of glibc's tables, which the library was
 * compiled for and musl's __ctype_b_loc() has, too.
 */
namespace std _GLIBCXX_VISIBILITY(default)
{
    _GLIBCXX_BEGIN_NAMESPACE_VERSION

    struct ctype_base {
        typedef const int *__to_type;
        typedef unsigned short mask;

        static const mask upper = 1 << 8;
        static const mask lower = 1 << 9;
        static const mask alpha = 1 << 10;
        static const mask digit = 1 << 11;
        static const mask xdigit = 1 << 12;
        static const mask space = 1 << 13;
        static const mask print = 1 << 14;
        static const mask graph = (1 << 10) | (1 << 11) | (1 << 2);
        static const mask cntrl = 1 << 1;
        static const mask punct = 1 << 2;
        static const mask alnum = (1 << 10) | (1 << 11);
#if __cplusplus >= 201103L
        static const mask blank = 1 << 0;
#endif
    };

    _GLIBCXX_END_NAMESPACE_VERSION
} // namespace )
