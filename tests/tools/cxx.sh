# SPDX-License-Identifier: BSD-3-Clause
# halvm-c++: the host's libstdc++ over our libc. What a program prints is
# compared with what the host's own C++ makes of it.
. "$HERE/lib.sh"
command -v g++ >/dev/null || {
    skip "all" "no g++"
    exit 0
}
cat >x.cc <<'END'
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <regex>
#include <fstream>
#include <locale>
#include <chrono>
#include <algorithm>
#include <condition_variable>
#include <future>
#include <random>
#include <filesystem>
#include <iomanip>
struct D { ~D() { std::cout << "tls dtor\n"; } };
thread_local D d;
int main(int argc, char **argv) {
    std::map<std::string,int> m{{"a",1},{"b",2}};
    std::mutex mu; int sum=0; std::vector<std::thread> ts;
    for (int i=0;i<4;i++) ts.emplace_back([&,i]{ std::lock_guard<std::mutex> g(mu); sum+=i; });
    for (auto&t:ts) t.join();
    try { throw std::runtime_error("boom"); } catch (std::exception &e) { std::cout << e.what() << " " << sum << "\n"; }
    std::istringstream in("  12 3.5 word \t x"); int a; double b; std::string c,x; in >> a >> b >> c >> x;
    std::cout << a << " " << b << " " << c << " " << x << " " << m["b"] << "\n";
    std::cout << std::regex_replace(std::string("Hello 42 World"), std::regex("[0-9]+"), "<$&>") << "\n";
    std::cout << std::isupper('A', std::locale()) << std::isupper('a', std::locale()) << std::toupper('q', std::locale()) << "\n";
    std::locale l("");
    std::locale l2 = std::locale(std::locale::classic(), l, std::locale::ctype); std::cout << std::isdigit('4', l2) << "\n";
    auto f = std::async(std::launch::async, []{ return 7; }); std::cout << f.get() << "\n";
    std::cout << std::filesystem::path("/a/b/../c").lexically_normal() << " " << std::filesystem::exists("/nowhere") << "\n";
    std::cout << std::hex << std::setw(8) << std::setfill('0') << 48879 << std::dec << " " << std::fixed << std::setprecision(3) << 3.14159 << "\n";
    std::wcout << L"wide " << 42 << std::endl;
    static std::string s = "static"; std::cout << s << "\n";
    (void)&d;
    std::thread([]{ (void)&d; D *p=&d; if(!p) abort(); }).join();
    try { std::vector<int> v; v.at(3); } catch (std::out_of_range &e) { std::cout << "range\n"; }
    return 7; }
END
run "$(dirname "$CC")/halvm-c++" -O2 -std=c++17 x.cc -o x
check "compiles and links" $status -eq 0
run env LC_ALL=C ./x
check "status" $status -eq 7
ours=$out
g++ -O2 -std=c++17 x.cc -o host
run env LC_ALL=C ./host
check "prints what the host's does" "$ours" = "$out"
hasnt "static" "$(readelf -lW x)" INTERP
cp x.cc y.cpp
run "$CC" -std=c++17 y.cpp -lstdc++ -o y
check "halvm-cc compiles C++, too" $status -eq 0
run "$CC" -std=c++17 -E -x c++ - </dev/null
hasnt "no header of glibc" "$out" '"/usr/include/x86_64-linux-gnu/[^c]'
exit $failed
