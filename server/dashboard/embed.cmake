# Writes OUTPUT: the functions of web_files.h, with the files of FOLDER as their bytes.
set(text "#include \"server/dashboard/web_files.h\"\n\nnamespace cairn {\n")
foreach(pair Html=index.html Js=dashboard.js Css=dashboard.css Icon=cairn.svg Login=login.html)
  string(REPLACE "=" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 file)
  set(function Dashboard${name})
  if(name STREQUAL Login)
    set(function LoginHtml)
  endif()
  file(READ ${FOLDER}/${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND text "static constexpr unsigned char k${name}[] = {${bytes}};\n"
         "std::string_view ${function}() {\n"
         "  return {reinterpret_cast<const char*>(k${name}), sizeof(k${name})};\n}\n")
endforeach()
file(WRITE ${OUTPUT} "${text}}  // namespace cairn\n")
